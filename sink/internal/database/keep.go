// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
)

// briefly bounds how long a change of the ledger's partitions waits for its lock,
// in which time all writers wait behind it. A query that reads the ledger for an
// hour would otherwise stop them again and again.
const briefly = "set local lock_timeout = '200ms'"

// Partitions creates the ledger's partitions ahead of time and drops those that
// have expired. None of it is urgent: what a reader of the ledger is in the way of
// is logged and left for the next call. Where the database is not managed, it says
// that a person should. Where now is zero, because nobody knows it, it does nothing.
func (k *Keeper) Partitions(ctx context.Context, now time.Time) error {
	if now.IsZero() {
		return nil
	}
	if !k.Managed {
		k.reportPartitions(ctx, now)
		return nil
	}
	err := k.changePartitions(ctx, func(tx pgx.Tx) ([]table.Statement, error) { return missingPartitions(ctx, tx, now) })
	if sqlstate.Blocked(err) {
		k.Log.WarnContext(ctx, "the ledger is read for long: its partitions of the days to come are created another time", "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	err = k.changePartitions(ctx, func(tx pgx.Tx) ([]table.Statement, error) { return expiredPartitions(ctx, tx, k.Retention, now) })
	if err != nil && ctx.Err() == nil {
		k.Log.WarnContext(ctx, "partitions of the ledger that have expired are dropped another time", "error", err)
	}
	return nil
}

// changePartitions runs each statement that look finds in a transaction of its
// own, up to the first that fails: together they would hold the ledger's lock while
// they wait for the partitions'.
func (k *Keeper) changePartitions(ctx context.Context, look func(pgx.Tx) ([]table.Statement, error)) error {
	ddl, err := k.read(ctx, look)
	if err != nil {
		return err
	}
	for _, st := range ddl {
		err := Locked(ctx, k.Pool, schemaLock, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, briefly); err != nil {
				return err
			}
			return k.run(ctx, tx, []table.Statement{st})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reportPartitions only warns, whatever it finds: the sink needs none of the
// partitions, and what it may not look at, a person can.
func (k *Keeper) reportPartitions(ctx context.Context, now time.Time) {
	if now.IsZero() {
		return
	}
	ddl, err := k.read(ctx, func(tx pgx.Tx) ([]table.Statement, error) { return k.diffPartitions(ctx, tx, now) })
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.Log.WarnContext(ctx, "cannot tell whether the ledger's partitions are those of today's retention; run what sink ddl --diff prints", "error", err)
	case len(ddl) > 0:
		k.Log.WarnContext(ctx, "the ledger's partitions are not those of today's retention; run what sink ddl --diff prints", "statements", len(ddl))
	}
}

func (k *Keeper) diffPartitions(ctx context.Context, tx pgx.Tx, now time.Time) ([]table.Statement, error) {
	missing, err := missingPartitions(ctx, tx, now)
	if err != nil {
		return nil, err
	}
	expired, err := expiredPartitions(ctx, tx, k.Retention, now)
	return append(missing, expired...), err
}
