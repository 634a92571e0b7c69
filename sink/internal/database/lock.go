// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/stage/failure"
)

// Lock is the key of an advisory lock.
type Lock int64

// The locks, under which one instance at a time changes the schema, and deletes
// what has expired: "hookstr" and "hookstp" in ASCII.
const (
	schemaLock Lock = 0x686f6f6b737472
	PurgeLock  Lock = 0x686f6f6b737470
)

// ErrBusy means that another instance holds the lock.
var ErrBusy = errors.New("another instance is at it")

// bounds are on how long a change of the schema waits for a table, for while it
// waits, it holds up everyone who comes after it; and on how long the server waits
// for the next statement, for a process that went silent would hold the lock until
// its connection is found dead.
const bounds = "select set_config('lock_timeout', '5s', true), set_config('idle_in_transaction_session_timeout', '1min', true)"

// Locked runs change in a transaction that holds the advisory lock, or fails
// with a Transient ErrBusy while another instance holds it. The lock belongs to
// the transaction and not to the session, and nobody waits for it on a
// connection: both for PgBouncer's sake, where waiters could use up the
// connections that the holder still needs.
func Locked(ctx context.Context, pool *pgxpool.Pool, lock Lock, change func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, bounds); err != nil {
			return err
		}
		var ours bool
		if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", int64(lock)).Scan(&ours); err != nil {
			return fmt.Errorf("take the advisory lock: %w", err)
		}
		if !ours {
			return failure.NewTransient(ErrBusy)
		}
		return change(tx)
	})
	return sqlstate.Classify(err)
}

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
