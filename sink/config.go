// SPDX-License-Identifier: Apache-2.0

// Package sink applies events to Postgres: typed rows, a ledger of every event,
// and the consumer offsets, in one transaction.
package sink

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/setting"
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

	Database `embed:""`
	Schema   `embed:""`

	RegistryURL       string        `help:"Schema registry." default:"http://localhost:8081" env:"HOOKSTREAM_REGISTRY_URL"`
	MaxRecords        int           `help:"Most records of one database transaction." default:"1000" env:"HOOKSTREAM_SINK_MAX_RECORDS"`
	SessionTimeout    time.Duration `help:"How long an instance that went silent keeps its partitions." default:"15s" env:"HOOKSTREAM_SESSION_TIMEOUT"`
	PoolSize          int32         `help:"Most connections to Postgres." default:"4" env:"HOOKSTREAM_SINK_POOL_SIZE"`
	StatementTimeout  time.Duration `help:"Longest time for one statement. The batch is then tried again." default:"30s" env:"HOOKSTREAM_SINK_STATEMENT_TIMEOUT"`
	SynchronousCommit bool          `help:"Wait for Postgres's disk at each commit. Without, a crash of Postgres loses the last transactions together with their offsets, and the events are applied again." env:"HOOKSTREAM_SINK_SYNCHRONOUS_COMMIT"`
	DeadLetterAll     bool          `help:"Dead-letter everything that Postgres refuses, even most events of a type. Without, their partitions wait then, for that is seldom the data's fault." env:"HOOKSTREAM_SINK_DEAD_LETTER_ALL"`
	Managed           string        `help:"on: the sink creates its tables and extends them. off: it creates nothing, checks everything, and a person runs what sink ddl prints." enum:"on,off" default:"on" env:"HOOKSTREAM_SINK_MANAGED"`
	PurgeAfter        time.Duration `help:"How long the row of a deleted entity is kept; 0 is for ever. At least HOOKSTREAM_RETENTION and HOOKSTREAM_DEDUP_WINDOW together, and longer than any dead letter waits for its replay: what is applied after that brings the row back." default:"0s" env:"HOOKSTREAM_SINK_PURGE_AFTER"`
}

// Database is where the rows and the offsets are.
type Database struct {
	DatabaseURL setting.Secret `help:"Postgres to write to, as a URL or libpq keywords. PgBouncer in transaction mode works." env:"HOOKSTREAM_DATABASE_URL" placeholder:"postgres://USER:PASSWORD@HOST:PORT/DATABASE"`
	Group       string         `help:"Consumer group; the database keeps its offsets under this name." default:"hookstream-sink" env:"HOOKSTREAM_SINK_GROUP"`
}

// Schema is which tables there are.
type Schema struct {
	TablesSchema    string        `help:"Database schema of the entity tables, one table an entity. It is created if it is missing." default:"webhooks" env:"HOOKSTREAM_TABLES_SCHEMA"`
	TablesFile      string        `help:"YAML file of where the events of an entity go: names, fields, indexes, partitions, or a table of your own." env:"HOOKSTREAM_TABLES_FILE" placeholder:"FILE"`
	LedgerRetention time.Duration `help:"How long the ledger keeps an event after it was applied; 0 is for ever. At least HOOKSTREAM_RETENTION and HOOKSTREAM_DEDUP_WINDOW together: so long, a repeat can come." default:"0s" env:"HOOKSTREAM_LEDGER_RETENTION"`
}

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
	errs = append(errs, c.Check(&c.Kafka), outlivesReplays(&c.Kafka, "HOOKSTREAM_SINK_PURGE_AFTER", c.PurgeAfter))
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

// Check checks the names, and the ledger's retention against the topics'. Errors
// name the variable.
func (s *Schema) Check(k *kafka.Config) error {
	if n := len(s.TablesSchema); n == 0 || n > maxIdentifier || s.TablesSchema == database.Schema {
		return fmt.Errorf("HOOKSTREAM_TABLES_SCHEMA %q must have 1 to %d bytes and not be %s, which the sink keeps for itself",
			s.TablesSchema, maxIdentifier, database.Schema)
	}
	return outlivesReplays(k, "HOOKSTREAM_LEDGER_RETENTION", s.LedgerRetention)
}

// outlivesReplays checks that what would recognize an old event is kept for as
// long as one can come: from its topic, or from a provider that sends it again.
func outlivesReplays(k *kafka.Config, variable string, kept time.Duration) error {
	window := k.Retention + k.DedupWindow
	switch {
	case kept == 0, k.Retention >= 0 && kept >= window:
		return nil
	case k.Retention < 0:
		return fmt.Errorf("%s is %s, must be 0: the topics keep their records for ever (HOOKSTREAM_RETENTION)", variable, kept)
	}
	return fmt.Errorf("%s is %s, must be 0 (for ever) or at least %s: so long, an old event can come again (HOOKSTREAM_RETENTION + HOOKSTREAM_DEDUP_WINDOW)",
		variable, kept, window)
}

// Topics are what the sink consumes: the events of every entity, and what is
// replayed to it alone.
func Topics(k *kafka.Config) []string {
	topics := []string{k.Topics.SinkReplay}
	for _, e := range event.Names() {
		topics = append(topics, k.Topics.Events(e))
	}
	return topics
}
