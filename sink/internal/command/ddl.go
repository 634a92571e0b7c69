// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/postgres"
)

type ddlCommand struct {
	sink.Schema `embed:""`
	Kafka       kafka.Config   `embed:""`
	DatabaseURL setting.Secret `help:"Postgres to compare with; it is only read." env:"HOOKSTREAM_DATABASE_URL" placeholder:"postgres://USER:PASSWORD@HOST:PORT/DATABASE"`
	Diff        bool           `help:"Print only what the database lacks."`
	GrantTo     string         `help:"Also print the rights that the sink's user needs, if another runs the DDL." placeholder:"USER"`
	Timeout     time.Duration  `help:"How long to wait for the database." default:"30s"`
}

// Help is shown below the usage.
func (*ddlCommand) Help() string {
	return `Without --diff, prints everything in a form that changes nothing where it is run again.
With --diff, compares a database and prints what it lacks, the ledger's partitions of the
days to come and those that have expired too. Where only a change that can lose data or
take long would help, it fails and says which.

Examples:
  sink ddl --grant-to sink | psql -1 -v ON_ERROR_STOP=1
  sink ddl --diff

Exit codes:
  0  done; with --diff also where nothing is printed, because nothing is lacking
  1  failed, or a change is for a person to decide
  2  wrong usage`
}

// Validate checks the flags.
func (c *ddlCommand) Validate() error {
	if c.Diff && c.DatabaseURL == "" {
		return errors.New("--diff needs HOOKSTREAM_DATABASE_URL")
	}
	if err := errors.Join(setting.Check(c), c.Kafka.Validate()); err != nil {
		return err
	}
	if c.DatabaseURL != "" {
		if err := postgres.Check(c.DatabaseURL); err != nil {
			return fmt.Errorf("HOOKSTREAM_DATABASE_URL %w", err)
		}
	}
	return c.Check(&c.Kafka)
}

// Run prints.
func (c *ddlCommand) Run(ctx context.Context, k *kong.Context) error {
	tables, err := table.Load(c.TablesSchema, c.TablesFile)
	if err != nil {
		return err
	}
	keeper := &database.Keeper{Tables: tables, Retention: c.LedgerRetention, Log: slog.New(slog.DiscardHandler)}
	ddl, err := c.statements(ctx, keeper)
	if err != nil {
		return err
	}
	if c.GrantTo != "" {
		ddl = append(ddl, database.Grants(c.GrantTo, tables)...)
	}
	for _, st := range ddl {
		if st.Need == table.Manual {
			// CONCURRENTLY is refused in a transaction.
			st.SQL = "-- Run by itself, outside of a transaction:\n-- " + strings.ReplaceAll(st.SQL, "\n", "\n-- ")
		}
		if _, err := fmt.Fprintf(k.Stdout, "%s;\n\n", st.SQL); err != nil {
			return err
		}
	}
	return nil
}

func (c *ddlCommand) statements(ctx context.Context, keeper *database.Keeper) ([]table.Statement, error) {
	if !c.Diff {
		return keeper.Complete(time.Now())
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	pool, err := database.Open(ctx, c.DatabaseURL.Reveal(), 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	keeper.Pool = pool
	now, err := database.Clock(ctx, pool, time.Now())
	if err != nil {
		return nil, err
	}
	return keeper.Diff(ctx, now)
}
