// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// Schema holds what the sink keeps for itself.
const Schema = "hookstream"

//go:embed migrations/*.sql
var migrations embed.FS

// lockKey is the advisory lock under which one instance at a time changes the
// schema: "hookstr" in ASCII.
const lockKey = 0x686f6f6b737472

// lockTimeout bounds how long a change of the schema waits for a table. While
// it waits, it holds up everyone who comes after it.
const lockTimeout = "set local lock_timeout = '5s'"

// Ensure brings the database up to date: the sink's own tables by migrations,
// the entity tables, in the schema tablesSchema, from the entities' schemas, and
// the ledger's partitions from the calendar. Instances take turns: it fails with
// a Transient error while another is at it.
func Ensure(ctx context.Context, pool *pgxpool.Pool, tablesSchema string, tables []*table.Table, now time.Time) error {
	return locked(ctx, pool, func(tx pgx.Tx) error {
		if err := migrate(ctx, pool); err != nil {
			return err
		}
		if err := createSchema(ctx, tx, tablesSchema); err != nil {
			return err
		}
		if err := table.Ensure(ctx, tx, tables); err != nil {
			return err
		}
		return createPartitions(ctx, tx, now)
	})
}

// locked runs change in a transaction that holds the advisory lock, or fails
// with a Transient error while another instance holds it. The lock belongs to
// the transaction and not to the session, and nobody waits for it on a
// connection: both for PgBouncer's sake, where waiters could use up the
// connections that the holder still needs.
func locked(ctx context.Context, pool *pgxpool.Pool, change func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var ours bool
		if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", int64(lockKey)).Scan(&ours); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		if !ours {
			return failure.NewTransient(errBusy)
		}
		if _, err := tx.Exec(ctx, lockTimeout); err != nil {
			return err
		}
		return change(tx)
	})
	return sqlstate.Classify(err)
}

var errBusy = errors.New("another instance is bringing the database up to date")

// migrate runs on a connection of its own, beside the one that holds the lock.
func migrate(ctx context.Context, pool *pgxpool.Pool) error {
	if err := createSchema(ctx, pool, Schema); err != nil {
		return err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(Schema+".migrations"), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema %s: %w", Schema, err)
	}
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// createSchema asks first: CREATE SCHEMA IF NOT EXISTS needs the right to
// create one even where it exists.
func createSchema(ctx context.Context, q querier, name string) error {
	quoted := pgx.Identifier{name}.Sanitize()
	var missing bool
	if err := q.QueryRow(ctx, "select to_regnamespace($1) is null", quoted).Scan(&missing); err != nil {
		return fmt.Errorf("look for schema %s: %w", name, err)
	}
	if !missing {
		return nil
	}
	if _, err := q.Exec(ctx, "create schema "+quoted); err != nil {
		return fmt.Errorf("create schema %s: %w", name, err)
	}
	return nil
}
