// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"math"
	"time"
)

const (
	// firstRate is where the search for the highest rate begins, in webhooks a
	// second; it doubles until the lag grows, and is then narrowed down.
	firstRate = 1000
	narrowing = 3
	// searchTurn is how long a rate is held: in less, no growth is seen.
	searchTurn = 4 * time.Second
	// slack is a growth of the lag that batches cause, as time at the rate.
	slack = 100 * time.Millisecond
)

// highest is the highest rate that was held without the lag growing.
func (b *pipelineBench) highest(ctx context.Context) (float64, error) {
	held, lost := 0.0, math.Inf(1)
	d := searchTurn
	if b.Quick {
		d /= 2
	}
	for n, rate := 0, float64(firstRate); n < narrowing; {
		b.progress("does %.0f/s hold?", rate)
		f, err := b.turn(ctx, rate, d)
		if err != nil {
			return 0, err
		}
		if f.sustained(d) {
			held = rate
		} else {
			lost = rate
		}
		if math.IsInf(lost, 1) {
			rate = held * 2
			continue
		}
		rate = math.Sqrt(max(held, lost/4) * lost)
		n++
	}
	return held, nil
}

// sustained reports whether, in the second half of d, requests were answered as
// they came and no more webhooks were under way at the end than before.
func (f *flow) sustained(d time.Duration) bool {
	allowed := f.rate * slack.Seconds()
	before, after := f.underWay(d/4, d/2), f.underWay(3*d/4, d)
	return f.elapsed < d+slack && after-before <= allowed
}

// underWay is the average number of webhooks between their request and their row.
func (f *flow) underWay(from, to time.Duration) float64 {
	var sum time.Duration
	for i := range f.due {
		sum += max(0, min(f.visible[i], to)-max(f.due[i], from))
	}
	return sum.Seconds() / (to - from).Seconds()
}
