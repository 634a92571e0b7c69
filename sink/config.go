// SPDX-License-Identifier: Apache-2.0

// Package sink applies events to Postgres: typed rows, a ledger of every event,
// and the consumer offsets, in one transaction.
package sink

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
)

// Info describes the program.
var Info = service.Info{
	Name:         "sink",
	Description:  "Applies events to Postgres, each exactly once.",
	AdminAddress: ":8083",
}

// Config of the sink.
type Config struct {
	service.Common `embed:""`
	Kafka          kafka.Config `embed:""`

	DatabaseURL       DatabaseURL   `help:"Postgres to write to, as a URL or libpq keywords. PgBouncer in transaction mode works." env:"HOOKSTREAM_DATABASE_URL" placeholder:"postgres://USER:PASSWORD@HOST:PORT/DATABASE"`
	RegistryURL       string        `help:"Schema registry." default:"http://localhost:8081" env:"HOOKSTREAM_REGISTRY_URL"`
	TablesSchema      string        `help:"Database schema of the entity tables, one table an entity. It is created if it is missing." default:"webhooks" env:"HOOKSTREAM_TABLES_SCHEMA"`
	Group             string        `help:"Consumer group; the database keeps its offsets under this name." default:"hookstream-sink" env:"HOOKSTREAM_SINK_GROUP"`
	MaxRecords        int           `help:"Most records of one database transaction." default:"1000" env:"HOOKSTREAM_SINK_MAX_RECORDS"`
	SessionTimeout    time.Duration `help:"How long an instance that went silent keeps its partitions." default:"15s" env:"HOOKSTREAM_SESSION_TIMEOUT"`
	PoolSize          int32         `help:"Most connections to Postgres." default:"4" env:"HOOKSTREAM_SINK_POOL_SIZE"`
	StatementTimeout  time.Duration `help:"Longest time for one statement. The batch is then tried again." default:"30s" env:"HOOKSTREAM_SINK_STATEMENT_TIMEOUT"`
	SynchronousCommit bool          `help:"Wait for Postgres's disk at each commit. Without, a crash of Postgres loses the last transactions together with their offsets, and the events are applied again." env:"HOOKSTREAM_SINK_SYNCHRONOUS_COMMIT"`
}

// DatabaseURL holds a password, so it never prints.
type DatabaseURL string

// String hides the value.
func (DatabaseURL) String() string { return "[redacted]" }

// Two connections are needed at once while the schema is brought up to date.
const minPoolSize = 2

// maxIdentifier is what Postgres keeps of a name (NAMEDATALEN - 1).
const maxIdentifier = 63

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	errs := []error{c.Kafka.Validate()}
	if c.DatabaseURL == "" {
		errs = append(errs, errors.New("HOOKSTREAM_DATABASE_URL is empty"))
	}
	if u, err := url.Parse(c.RegistryURL); err != nil || u.Scheme == "" || u.Host == "" {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_REGISTRY_URL %q is not a URL", c.RegistryURL))
	}
	if c.Group == "" {
		errs = append(errs, errors.New("HOOKSTREAM_SINK_GROUP is empty"))
	}
	if c.SessionTimeout < time.Second {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_SESSION_TIMEOUT is %s, must be at least 1s", c.SessionTimeout))
	}
	if n := len(c.TablesSchema); n == 0 || n > maxIdentifier || c.TablesSchema == database.Schema {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_TABLES_SCHEMA %q must have 1 to %d bytes and not be %s, which the sink keeps for itself",
			c.TablesSchema, maxIdentifier, database.Schema))
	}
	if c.MaxRecords < 1 {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_SINK_MAX_RECORDS is %d, must be at least 1", c.MaxRecords))
	}
	if c.PoolSize < minPoolSize {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_SINK_POOL_SIZE is %d, must be at least %d", c.PoolSize, minPoolSize))
	}
	if c.StatementTimeout < time.Second {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_SINK_STATEMENT_TIMEOUT is %s, must be at least 1s", c.StatementTimeout))
	}
	return errors.Join(errs...)
}

// topics are what the sink consumes.
func (c *Config) topics(entities []string) []string {
	topics := []string{c.Kafka.Topics.SinkReplay}
	for _, e := range entities {
		topics = append(topics, c.Kafka.Topics.Events(e))
	}
	return topics
}
