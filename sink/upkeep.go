// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"errors"
	"time"

	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/retention"
	"github.com/hookstream/hookstream/stage/failure"
)

// upkeepInterval is far shorter than the days that partitions are created ahead,
// and than anything that expires.
const upkeepInterval = time.Hour

func (s *Service) keeper() *database.Keeper {
	return &database.Keeper{
		Pool: s.pool, Tables: s.tables, Managed: s.cfg.Managed == "on", Retention: s.cfg.LedgerRetention, Log: s.log,
	}
}

// upkeep creates the ledger's partitions ahead of time and deletes what has
// expired, until ctx ends. It returns an error only when that is Fatal.
func (s *Service) upkeep(ctx context.Context) error {
	keeper := s.keeper()
	job := retention.Job{Pool: s.pool, Tables: s.tables, Ledger: s.cfg.LedgerRetention, Tombstones: s.cfg.PurgeAfter, Log: s.log}
	tick := time.NewTicker(upkeepInterval)
	defer tick.Stop()
	for {
		var now time.Time
		err := failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) (err error) {
			if now, err = s.now(ctx); err != nil {
				return err
			}
			return keeper.Partitions(ctx, now)
		},
			func(failures int, _ time.Duration, err error) {
				s.log.WarnContext(ctx, "cannot bring the ledger's partitions up to date yet", "attempt", failures, "error", err)
			})
		if err == nil && !now.IsZero() {
			err = job.Run(ctx, now)
		}
		switch {
		case failure.Of(err) == failure.Fatal:
			return err
		case err != nil && ctx.Err() == nil:
			s.log.WarnContext(ctx, "what has expired was not all deleted; the next time will", "in", upkeepInterval, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// now is the database's time, or zero where our clock says another: then nobody knows.
func (s *Service) now(ctx context.Context) (time.Time, error) {
	now, err := database.Clock(ctx, s.pool, s.clock())
	if errors.Is(err, database.ErrSkew) {
		s.log.ErrorContext(ctx, "a clock is wrong", "error", err)
		return time.Time{}, nil
	}
	return now, err
}
