// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	// Rates that are tried lie on a grid, each a tenth above the one before, so
	// that searches can give the same.
	slowest = 250 // webhooks a second
	growth  = 1.1
	// A first search begins here, and strides until the lag grows. The next ones
	// begin where the last ended.
	firstStep   = 16
	firstStride = 8
	// searchTurn is how long a rate is held: in less, no growth is seen.
	searchTurn = 4 * time.Second
	// slack is a growth of the lag that batches cause, as time at the rate.
	slack = 100 * time.Millisecond
)

func rateAt(step int) float64 { return slowest * math.Pow(growth, float64(step)) }
func stepOf(rate float64) int { return int(math.Round(math.Log(rate/slowest) / math.Log(growth))) }

// highest is the highest rate that was held without the lag growing. Before are
// those that were found before.
func (b *pipelineBench) highest(ctx context.Context, before []float64) (float64, error) {
	step, stride := firstStep, firstStride
	if len(before) > 0 {
		step, stride = stepOf(before[len(before)-1]), 1
	}
	held, err := search(step, stride, func(step int) (bool, error) { return b.holds(ctx, rateAt(step)) })
	if err == nil && held < 0 {
		return 0, fmt.Errorf("the lag grows at %d webhooks a second already", slowest)
	}
	return rateAt(held), err
}

func (b *pipelineBench) holds(ctx context.Context, rate float64) (bool, error) {
	d := searchTurn
	if b.Quick {
		d /= 4
	}
	b.progress("does %.0f/s hold?", rate)
	f, err := b.turn(ctx, rate, d)
	return err == nil && f.sustained(d), err
}

// search finds the highest step that holds, where the one above does not; -1 if
// not even 0 holds. It strides until the two are enclosed, and then halves what is
// between them.
func search(step, stride int, holds func(step int) (bool, error)) (held int, err error) {
	const never = math.MaxInt32
	held = -1
	for lost := never; lost-held > 1; {
		ok, err := holds(step)
		if err != nil {
			return 0, err
		}
		if ok {
			held = step
		} else {
			lost = step
		}
		switch {
		case lost == never:
			step = held + stride
		case held < 0:
			step = max(0, lost-stride)
		default:
			step = (held + lost) / 2
		}
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
