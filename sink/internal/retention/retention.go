// SPDX-License-Identifier: Apache-2.0

// Package retention deletes what nobody needs any more: entries of the ledger,
// and the rows of deleted entities. It works beside the sink in small
// transactions, of one instance at a time.
package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// Job deletes what has expired.
type Job struct {
	Pool   *pgxpool.Pool
	Tables []*table.Table
	// Ledger is how long its entries are kept, Tombstones how long the row of
	// a deleted entity; 0 is for ever.
	Ledger, Tombstones time.Duration
	Log                *slog.Logger
}

// page is how many rows one transaction looks at or deletes: some ten
// milliseconds, in which their locks are held.
const page = 1000

// Run deletes what has expired at now. Another instance that is at it is no
// error: what it leaves is left for the next time.
func (j *Job) Run(ctx context.Context, now time.Time) error {
	err := errors.Join(j.trimLedger(ctx, now), j.purge(ctx, now))
	if errors.Is(err, database.ErrBusy) {
		return nil
	}
	return err
}

// The ledger's tables without partitions of a day, and when their rows were
// written.
var trimmed = []struct{ table, written string }{
	{"hookstream.ledger_default", "applied_at"},
	{"hookstream.ledger_untimed", "applied_at"},
	{"hookstream.deliveries", "seen_at"},
}

func (j *Job) trimLedger(ctx context.Context, now time.Time) error {
	if j.Ledger == 0 {
		return nil
	}
	for _, t := range trimmed {
		sql := "delete from " + t.table + " where ctid = any(array(select ctid from " + t.table + " where " + t.written + " < $1 limit $2))"
		deleted, err := j.repeat(ctx, func(tx pgx.Tx) (int64, bool, error) {
			tag, err := tx.Exec(ctx, sql, now.Add(-j.Ledger), page)
			return tag.RowsAffected(), tag.RowsAffected() == page, err
		})
		if err != nil {
			return err
		}
		j.report(ctx, "expired entries deleted", t.table, deleted)
	}
	return nil
}

func (j *Job) purge(ctx context.Context, now time.Time) error {
	if j.Tombstones == 0 {
		return nil
	}
	for _, t := range j.Tables {
		if !t.Ours() {
			continue
		}
		var after table.Key
		deleted, err := j.repeat(ctx, func(tx pgx.Tx) (deleted int64, more bool, err error) {
			deleted, more, err = t.Purge(ctx, tx, now.Add(-j.Tombstones), &after, page)
			return deleted, more, err
		})
		if err != nil {
			return err
		}
		j.report(ctx, "rows of deleted entities purged", t.Name(), deleted)
	}
	return nil
}

// repeat runs step in transactions of its own while there is more, each under
// the lock.
func (j *Job) repeat(ctx context.Context, step func(pgx.Tx) (deleted int64, more bool, err error)) (total int64, err error) {
	for more := true; more; {
		err := failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) error {
			var deleted int64
			err := database.Locked(ctx, j.Pool, database.PurgeLock, func(tx pgx.Tx) (err error) {
				deleted, more, err = step(tx)
				return err
			})
			if err == nil {
				total += deleted
			}
			return busyEnds(err)
		}, func(failures int, delay time.Duration, err error) {
			j.Log.WarnContext(ctx, "cannot delete what has expired yet", "attempt", failures, "seconds", delay.Seconds(), "error", err)
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// busyEnds makes another instance's turn an error that is not tried again.
func busyEnds(err error) error {
	if errors.Is(err, database.ErrBusy) {
		return &failure.Error{Class: failure.Permanent, Err: err}
	}
	return err
}

func (j *Job) report(ctx context.Context, what, table string, n int64) {
	if n > 0 {
		j.Log.InfoContext(ctx, what, "table", table, "rows", n)
	}
}
