// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/stage/failure"
)

// load is what a turn of requests gave.
type load struct {
	start    time.Time
	requests int
	elapsed  time.Duration
	// latencies, sorted.
	latencies []time.Duration
}

func (l *load) rate() float64 { return float64(l.requests) / l.elapsed.Seconds() }

func (l *load) milliseconds(q float64) float64 {
	return float64(quantile(l.latencies, q)) / float64(time.Millisecond)
}

// closedLoop sends on every connection as soon as its last request was answered:
// it finds the capacity. Latencies under it say little, because a slow server is
// sent less.
func closedLoop(ctx context.Context, conns []*conn, requests [][]byte, d time.Duration) (*load, error) {
	var next atomic.Int64
	start := time.Now()
	return spread(ctx, conns, start, d, func(_ context.Context, c *conn) (time.Duration, error) {
		sent := time.Now()
		if sent.Sub(start) >= d {
			return 0, errOver
		}
		if err := c.exchange(requests[int(next.Add(1))%len(requests)]); err != nil {
			return 0, err
		}
		return time.Since(sent), nil
	})
}

// openLoop sends rate requests a second at fixed times, however long answers
// take, on whichever connection is free. A latency counts from the time at which
// the request was to be sent, so that waiting behind slow answers is in it
// (http://highscalability.com/blog/2015/10/5/your-load-generator-is-probably-lying-to-you-take-the-red-pi.html
// on coordinated omission).
func openLoop(ctx context.Context, conns []*conn, requests [][]byte, rate float64, d time.Duration) (*load, error) {
	var next atomic.Int64
	start := time.Now()
	return spread(ctx, conns, start, d, func(ctx context.Context, c *conn) (time.Duration, error) {
		n := next.Add(1)
		after := due(int(n), rate)
		if after >= d {
			return 0, errOver
		}
		at := start.Add(after)
		if err := sleep(ctx, time.Until(at)); err != nil {
			return 0, err
		}
		if err := c.exchange(requests[int(n)%len(requests)]); err != nil {
			return 0, err
		}
		return time.Since(at), nil
	})
}

// due is when the nth request is to be sent, after the start.
func due(n int, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}

// errOver ends a connection's part of a turn.
var errOver = errors.New("the turn is over")

// patience is how long after a turn's end its last answer may come.
const patience = 30 * time.Second

// spread calls one for each connection again and again until errOver.
func spread(ctx context.Context, conns []*conn, start time.Time, d time.Duration, one func(context.Context, *conn) (time.Duration, error)) (*load, error) {
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { expire(conns, time.Now()) })()
	expire(conns, start.Add(d+patience))
	took := make([][]time.Duration, len(conns))
	for i, c := range conns {
		g.Go(func() error {
			for {
				latency, err := one(ctx, c)
				if errors.Is(err, errOver) {
					return nil
				}
				if err != nil {
					return err
				}
				took[i] = append(took[i], latency)
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	l := &load{start: start, elapsed: time.Since(start), latencies: slices.Concat(took...)}
	l.requests = len(l.latencies)
	if l.requests == 0 {
		return nil, errors.New("no request was answered")
	}
	slices.Sort(l.latencies)
	return l, nil
}

// expire sets when reads and writes give up.
func expire(conns []*conn, at time.Time) {
	for _, c := range conns {
		_ = c.SetDeadline(at) // a closed connection fails at its next use
	}
}

// sleep does not even yield when a request is due already.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return failure.Sleep(ctx, d)
}
