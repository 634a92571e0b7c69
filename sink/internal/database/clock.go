// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
)

// maxSkew is how far our clock and the database's may be apart.
const maxSkew = time.Hour

// ErrSkew means that one of the clocks is wrong, and nobody knows which.
var ErrSkew = errors.New("the clocks of the sink and of the database differ")

// Clock is the database's time, with which the rows are stamped whose age decides what
// has expired. It fails with ErrSkew where ours is another: a clock that is a year
// ahead would have all that is older than today deleted.
func Clock(ctx context.Context, pool *pgxpool.Pool, ours time.Time) (now time.Time, err error) {
	if err := pool.QueryRow(ctx, "select clock_timestamp()").Scan(&now); err != nil {
		return now, sqlstate.Classify(fmt.Errorf("ask postgres for its time: %w", err))
	}
	if skew := ours.Sub(now).Abs(); skew > maxSkew {
		return time.Time{}, fmt.Errorf("%w by %s: ours is %s, the database's %s; until that is mended nothing is deleted, and no partition of the ledger is made",
			ErrSkew, skew.Round(time.Second), ours.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return now, nil
}
