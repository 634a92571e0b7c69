// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// Schema is what the sink keeps for itself: the name of its database schema.
const Schema = "hookstream"

// Keeper keeps a database as the sink needs it.
type Keeper struct {
	Pool   *pgxpool.Pool
	Tables []*table.Table
	// Managed lets it create what is missing. Otherwise it only compares,
	// and a person runs the DDL.
	Managed bool
	// Retention of the ledger; 0 is for ever.
	Retention time.Duration
	Log       *slog.Logger
}

// Ensure brings the database up to date, or, where it is not managed, fails with
// a Fatal error that has the DDL for a person to run. Instances take turns: it
// fails with a Transient error while another is at it.
func (k *Keeper) Ensure(ctx context.Context, now time.Time) error {
	if err := checkTemporary(ctx, k.Pool); err != nil {
		return err
	}
	if !k.Managed {
		return k.check(ctx, now)
	}
	err := Locked(ctx, k.Pool, schemaLock, func(tx pgx.Tx) error {
		if err := migrate(ctx, k.Pool); err != nil {
			return err
		}
		ddl, err := k.diffTables(ctx, tx)
		if err != nil {
			return err
		}
		return k.run(ctx, tx, ddl)
	})
	if err != nil {
		return err
	}
	return k.Partitions(ctx, now)
}

// run runs what may be run unasked.
func (k *Keeper) run(ctx context.Context, tx pgx.Tx, ddl []table.Statement) error {
	for _, st := range ddl {
		if st.Need == table.Manual {
			k.Log.WarnContext(ctx, "a person should run this: writers would wait for it too long", "sql", st.SQL)
			continue
		}
		if _, err := tx.Exec(ctx, st.SQL); err != nil {
			return fmt.Errorf("bring the schema up to date: %.200s: %w", st.SQL, err)
		}
	}
	return nil
}

// check compares, and changes nothing.
func (k *Keeper) check(ctx context.Context, now time.Time) error {
	ddl, err := k.read(ctx, func(tx pgx.Tx) ([]table.Statement, error) { return k.diffTables(ctx, tx) })
	if err != nil {
		return err
	}
	var required []table.Statement
	for _, st := range ddl {
		if st.Need == table.Required {
			required = append(required, st)
		}
	}
	if len(required) > 0 {
		return failure.NewFatal("the database lacks what the sink needs, and HOOKSTREAM_SINK_MANAGED is off; to go on, run what `sink ddl --diff` prints:\n%s", Script(required))
	}
	if len(ddl) > 0 {
		k.Log.WarnContext(ctx, "the database is not quite as it should be; see sink ddl --diff", "statements", len(ddl))
	}
	k.reportPartitions(ctx, now)
	return nil
}

// Diff is the DDL from what the database has to what the sink needs. It changes
// nothing.
func (k *Keeper) Diff(ctx context.Context, now time.Time) ([]table.Statement, error) {
	return k.read(ctx, func(tx pgx.Tx) ([]table.Statement, error) { return k.diff(ctx, tx, now) })
}

// read looks at the database in a transaction that can change nothing.
func (k *Keeper) read(ctx context.Context, look func(pgx.Tx) ([]table.Statement, error)) (ddl []table.Statement, err error) {
	err = pgx.BeginTxFunc(ctx, k.Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		ddl, err = look(tx)
		return err
	})
	return ddl, sqlstate.Classify(err)
}

// Complete is all of the DDL, in a form that changes nothing where it is run
// again. Partitions are those of the days around now.
func (k *Keeper) Complete(now time.Time) ([]table.Statement, error) {
	all, err := migrationStatements()
	if err != nil {
		return nil, err
	}
	for _, name := range k.schemas() {
		all = append(all, table.Statement{SQL: "CREATE SCHEMA IF NOT EXISTS " + quote(name)})
	}
	for _, t := range k.Tables {
		all = append(all, t.Create()...)
	}
	for _, day := range partitionDays(now) {
		all = append(all, createPartition(day))
	}
	return all, nil
}

func (k *Keeper) diff(ctx context.Context, tx pgx.Tx, now time.Time) ([]table.Statement, error) {
	ddl, err := k.diffTables(ctx, tx)
	if err != nil {
		return nil, err
	}
	partitions, err := k.diffPartitions(ctx, tx, now)
	return append(ddl, partitions...), err
}

// diffTables leaves out the ledger's partitions.
func (k *Keeper) diffTables(ctx context.Context, tx pgx.Tx) ([]table.Statement, error) {
	ddl, err := pending(ctx, tx)
	if err != nil {
		return nil, err
	}
	if len(ddl) == 0 {
		if ddl, err = diffBooks(ctx, tx); err != nil {
			return nil, err
		}
	}
	for _, name := range k.schemas() {
		missing, err := schemaMissing(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		if missing {
			ddl = append(ddl, table.Statement{SQL: "CREATE SCHEMA " + quote(name)})
		}
	}
	tables, err := table.Diff(ctx, tx, k.Tables)
	return append(ddl, tables...), err
}

// schemas are those of our own tables. A target's is there, or the target is not
// either.
func (k *Keeper) schemas() []string {
	var names []string
	seen := map[string]bool{}
	for _, t := range k.Tables {
		if s := t.Schema(); t.Ours() && !seen[s] {
			seen[s] = true
			names = append(names, s)
		}
	}
	return names
}

// schemaMissing asks, because CREATE SCHEMA IF NOT EXISTS needs the right to
// create one even where it exists.
func schemaMissing(ctx context.Context, q querier, name string) (missing bool, err error) {
	if err := q.QueryRow(ctx, "select to_regnamespace($1) is null", quote(name)).Scan(&missing); err != nil {
		return false, fmt.Errorf("look for schema %s: %w", name, err)
	}
	return missing, nil
}

// Script is ddl as one text.
func Script(ddl []table.Statement) string {
	var b strings.Builder
	for _, st := range ddl {
		b.WriteString(st.SQL)
		b.WriteString(";\n")
	}
	return b.String()
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
