// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/stage/failure"
)

// The ledger has a partition for each day around today. Events of other days
// go to the default partition, which loses nothing.
const (
	daysBehind    = 3
	daysAhead     = 7
	partitionTick = 12 * time.Hour
)

// KeepPartitions creates the ledger's partitions ahead of time until ctx ends.
// It returns an error only when that is Fatal.
func KeepPartitions(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	tick := time.NewTicker(partitionTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			err := failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) error {
				return locked(ctx, pool, func(tx pgx.Tx) error { return createPartitions(ctx, tx, now) })
			}, func(failures int, err error) {
				log.WarnContext(ctx, "cannot create the ledger's partitions yet", "attempt", failures, "error", err)
			})
			if failure.Of(err) == failure.Fatal {
				return err
			}
		}
	}
}

func createPartitions(ctx context.Context, tx pgx.Tx, now time.Time) error {
	today := now.UTC().Truncate(24 * time.Hour)
	for d := -daysBehind; d <= daysAhead; d++ {
		if err := createPartition(ctx, tx, today.AddDate(0, 0, d)); err != nil {
			return err
		}
	}
	return nil
}

// createPartition makes the partition of a day, unless there is one, or the
// default partition has events of that day already: Postgres would have to
// move them, so the day stays there.
func createPartition(ctx context.Context, tx pgx.Tx, day time.Time) error {
	name := Schema + ".ledger_" + day.Format("20060102")
	next := day.AddDate(0, 0, 1)
	var done bool
	err := tx.QueryRow(ctx, `select to_regclass($1) is not null
		or exists (select from hookstream.ledger_default where occurred_at >= $2 and occurred_at < $3)`, name, day, next).Scan(&done)
	if err != nil {
		return fmt.Errorf("look for partition %s: %w", name, err)
	}
	if done {
		return nil
	}
	_, err = tx.Exec(ctx, fmt.Sprintf("create table %s partition of hookstream.ledger for values from ('%s') to ('%s')",
		name, day.Format(time.RFC3339), next.Format(time.RFC3339)))
	if err != nil {
		return fmt.Errorf("create partition %s: %w", name, err)
	}
	return nil
}
