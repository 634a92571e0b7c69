// SPDX-License-Identifier: Apache-2.0

package failure

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a capped exponential backoff with full jitter, so that instances
// that failed together do not try again together. The zero value is not ready
// for use; see DefaultBackoff.
type Backoff struct {
	First, Max time.Duration
}

// DefaultBackoff reaches its cap after eight tries.
var DefaultBackoff = Backoff{First: 100 * time.Millisecond, Max: 15 * time.Second}

// Delay is how long to wait after the given number of failures in a row,
// counted from 1: at least half of First, at most Max.
func (b Backoff) Delay(failures int) time.Duration {
	ceiling := min(b.First, b.Max)
	least := ceiling / 2
	for i := 1; i < min(failures, 64) && ceiling < b.Max; i++ {
		ceiling = min(2*ceiling, b.Max)
	}
	return least + rand.N(ceiling-least+1) //nolint:gosec // jitter is no secret
}

// Wait sleeps for Delay(failures), or returns ctx's error when it ends first.
func (b Backoff) Wait(ctx context.Context, failures int) error {
	return Sleep(ctx, b.Delay(failures))
}

// Sleep waits for d, or returns ctx's error when it ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Retry runs op until it succeeds, fails in a way that is not Transient, or
// ctx ends. Before each wait it calls notify, which may be nil, with the number
// of failures so far, how long it waits, and the error.
func Retry(ctx context.Context, b Backoff, op func(context.Context) error, notify func(failures int, delay time.Duration, err error)) error {
	for failures := 1; ; failures++ {
		err := op(ctx)
		if err == nil || Of(err) != Transient {
			return err
		}
		if ctx.Err() != nil {
			return err
		}
		delay := b.Delay(failures)
		if notify != nil {
			notify(failures, delay, err)
		}
		if Sleep(ctx, delay) != nil {
			return err
		}
	}
}
