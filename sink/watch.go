// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/stage/failure"
)

// watchdog asks the database whether it is there, and says when it no longer is and
// when it is again. The consumer says what it waits for, which need not be the
// database; it asks nothing while it has no partitions, and a question that is not
// answered is silent for as long as it may take.
//
// It has a connection of its own, for those of the others may all be in use. That is
// made anew now and then: a server that takes no new ones answers on the old ones.
type watchdog struct {
	service *Service
	// every so often it asks, and waits as long for the answer; renew is how many
	// questions a connection is for.
	every time.Duration
	renew int
	// away is since when no answer came; zero while they come.
	away time.Time
}

const (
	watchEvery = 5 * time.Second
	watchRenew = 6
)

// migrating is what health says of the database until it is prepared.
const migrating = "migrating: bringing the tables up to date"

// run asks until ctx ends. Until prepared is closed, the database is not ready even
// where it answers.
func (w *watchdog) run(ctx context.Context, prepared <-chan struct{}) error {
	pool, err := database.Open(ctx, w.service.cfg.DatabaseURL.Reveal(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	for asked := 1; failure.Sleep(ctx, w.every) == nil; asked++ {
		if asked%w.renew == 0 {
			pool.Reset()
		}
		asking := time.Now()
		err := w.ask(ctx, pool)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.failed(ctx, asking, err)
		default:
			w.answered(ctx, prepared)
		}
	}
	return nil
}

var errReadOnly = errors.New("it takes no writes: it is a standby, or default_transaction_read_only is on")

func (w *watchdog) ask(ctx context.Context, pool *pgxpool.Pool) error {
	bounded, cancel := context.WithTimeout(ctx, w.every)
	defer cancel()
	var readOnly string
	err := pool.QueryRow(bounded, "show transaction_read_only").Scan(&readOnly)
	switch {
	case err != nil && bounded.Err() != nil:
		return fmt.Errorf("no answer within %s", w.every)
	case err != nil:
		return err
	case readOnly == "on":
		pool.Reset() // the next connection may find another server
		return errReadOnly
	}
	return nil
}

func (w *watchdog) failed(ctx context.Context, asked time.Time, err error) {
	if w.away.IsZero() {
		w.away = asked
		w.service.log.WarnContext(ctx, "Postgres does not answer", "since", w.away, "error", err)
	}
	w.service.health.Set(partDatabase, false, fmt.Sprintf("Postgres does not answer since %s: %v", w.away.UTC().Format(time.RFC3339), err))
}

func (w *watchdog) answered(ctx context.Context, prepared <-chan struct{}) {
	back := !w.away.IsZero()
	if back {
		w.service.log.InfoContext(ctx, "Postgres answers again", "since", w.away, "seconds", time.Since(w.away).Seconds())
		w.away = time.Time{}
	}
	select {
	case <-prepared:
		w.service.health.Set(partDatabase, true, "")
	default:
		if back {
			w.service.health.Set(partDatabase, false, migrating)
		}
	}
}
