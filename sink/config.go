// SPDX-License-Identifier: Apache-2.0

// Package sink applies events to Postgres: typed rows, a ledger of every event,
// and the consumer offsets, in one transaction.
package sink

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/postgres"
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

	Registry       registry.Config `embed:"" prefix:"registry-" set:"registry_url=http://localhost:8081"`
	MaxRecords     int             `help:"Most records of one database transaction." default:"1000" env:"HOOKSTREAM_SINK_MAX_RECORDS" bounds:"1..1000000"`
	SessionTimeout time.Duration   `help:"How long an instance that went silent keeps its partitions." default:"15s" env:"HOOKSTREAM_SESSION_TIMEOUT" bounds:"1s..30m"`
	// Two connections are needed at once while the schema is brought up to date.
	PoolSize          int32         `help:"Most connections to Postgres." default:"4" env:"HOOKSTREAM_SINK_POOL_SIZE" bounds:"2..1000"`
	StatementTimeout  time.Duration `help:"Longest time for one statement. The batch is then tried again." default:"30s" env:"HOOKSTREAM_SINK_STATEMENT_TIMEOUT" bounds:"1s..1h"`
	SynchronousCommit bool          `help:"Wait for Postgres's disk at each commit. Without, a crash of Postgres loses the last transactions together with their offsets, and the events are applied again." env:"HOOKSTREAM_SINK_SYNCHRONOUS_COMMIT"`
	DeadLetterAll     bool          `help:"Dead-letter everything that Postgres refuses, even most events of a type. Without, their partitions wait then, for that is seldom the data's fault." env:"HOOKSTREAM_SINK_DEAD_LETTER_ALL"`
	Managed           string        `help:"on: the sink creates its tables and extends them. off: it creates nothing, checks everything, and a person runs what sink ddl prints." enum:"on,off" default:"on" env:"HOOKSTREAM_SINK_MANAGED"`
	PurgeAfter        time.Duration `help:"How long the row of a deleted entity is kept; 0 is for ever. At least HOOKSTREAM_RETENTION and HOOKSTREAM_DEDUP_WINDOW together, and longer than any dead letter waits for its replay: what is applied after that brings the row back." default:"0s" env:"HOOKSTREAM_SINK_PURGE_AFTER"`
}

// Database is where the rows and the offsets are.
type Database struct {
	DatabaseURL setting.Secret `help:"Postgres to write to, as a URL or libpq keywords. PgBouncer in transaction mode works." env:"HOOKSTREAM_DATABASE_URL" placeholder:"postgres://USER:PASSWORD@HOST:PORT/DATABASE"`
	Group       string         `help:"Consumer group; the database keeps its offsets under this name." default:"hookstream-sink" env:"HOOKSTREAM_SINK_GROUP" is:"name"`
}

// Schema is which tables there are.
type Schema struct {
	TablesSchema    string        `help:"Database schema of the entity tables, one table an entity. It is created if it is missing." default:"webhooks" env:"HOOKSTREAM_TABLES_SCHEMA" is:"name"`
	TablesFile      string        `help:"YAML file of where the events of an entity go: names, fields, indexes, partitions, or a table of your own." env:"HOOKSTREAM_TABLES_FILE" placeholder:"FILE" is:"optional file"`
	LedgerRetention time.Duration `help:"How long the ledger keeps an event after it was applied; 0 is for ever. At least HOOKSTREAM_RETENTION and HOOKSTREAM_DEDUP_WINDOW together: so long, a repeat can come." default:"0s" env:"HOOKSTREAM_LEDGER_RETENTION"`
}

// maxIdentifier is what Postgres keeps of a name (NAMEDATALEN - 1).
const maxIdentifier = 63

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	// What depends on a wrong setting is not another one.
	if err := errors.Join(setting.Check(c), c.Kafka.Validate(), c.Registry.Validate()); err != nil {
		return err
	}
	var errs []error
	if c.Registry.URL == "" {
		errs = append(errs, errors.New("HOOKSTREAM_REGISTRY_URL is empty"))
	}
	if err := postgres.Check(c.DatabaseURL); err != nil {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_DATABASE_URL %w", err))
	}
	errs = append(errs, c.Check(&c.Kafka), outlivesReplays(&c.Kafka, "HOOKSTREAM_SINK_PURGE_AFTER", c.PurgeAfter))
	return errors.Join(errs...)
}

// Check checks the names, and the ledger's retention against the topics'. Errors
// name the variable.
func (s *Schema) Check(k *kafka.Config) error {
	if n := len(s.TablesSchema); n == 0 || n > maxIdentifier || s.TablesSchema == database.Schema || strings.HasPrefix(s.TablesSchema, "pg_") {
		return fmt.Errorf("HOOKSTREAM_TABLES_SCHEMA %q must have 1 to %d bytes, and not be %s, which the sink keeps for itself, or begin with pg_",
			s.TablesSchema, maxIdentifier, database.Schema)
	}
	_, err := table.Load(s.TablesSchema, s.TablesFile)
	if err != nil {
		err = fmt.Errorf("HOOKSTREAM_TABLES_FILE: %w", err)
	}
	return errors.Join(err, outlivesReplays(k, "HOOKSTREAM_LEDGER_RETENTION", s.LedgerRetention))
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
