// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
)

// edge is what verification, identification and a broker's acknowledgement cost
// a webhook, beside HTTP itself.
var edge = Benchmark{
	Name:     "edge",
	Title:    fmt.Sprintf("signed Stripe webhooks of %d bytes on %d keep-alive connections", bodyBytes, connections),
	Baseline: "bare net/http", Subject: "ingest",
	run: runEdge,
}

const (
	// connections are enough that the wait for an acknowledgement does not bound
	// how much is taken.
	connections = 128
	// distinct webhooks spread over all partitions.
	distinct = 2048
	// The goals.
	leastRate  = 0.60
	mostP99    = 5 // ms
	goalShare  = 50
	percentage = 100
)

// shares of ingest's capacity, in percent, at which latencies are taken.
var shares = []int{25, goalShare, 75}

// runEdge loads both servers as much as they take, and then both equally, at
// shares of what ingest took.
func runEdge(ctx context.Context, r *Run) (_ []Measure, err error) {
	r.progress("starting the servers")
	b, err := startEdge(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	capacity := newCapacity()
	if err := b.capacity(ctx, capacity); err != nil {
		return nil, err
	}
	measures := capacity.measures()
	rate := median(capacity.rate.Subject)
	for _, share := range shares {
		more, err := b.latency(ctx, share, rate*float64(share)/percentage)
		if err != nil {
			return nil, err
		}
		measures = append(measures, more...)
	}
	return measures, nil
}

// edgeBench is the benchmark's processes.
type edgeBench struct {
	*Run
	broker       *process
	bare, ingest *target
}

// target is one server under load.
type target struct {
	server *process
	broker *process // nil where the server has none
	conns  []*conn
}

// startEdge starts both servers and the broker, each in a process of its own,
// and sends a first turn to warm them up.
func startEdge(ctx context.Context, r *Run) (_ *edgeBench, err error) {
	b := &edgeBench{Run: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop())
		}
	}()
	if b.broker, err = r.spawn(ctx, "broker"); err != nil {
		return nil, err
	}
	if b.bare, err = b.target(ctx, "bare", nil); err != nil {
		return nil, err
	}
	if b.ingest, err = b.target(ctx, "ingest", b.broker, "--brokers", b.broker.address); err != nil {
		return nil, err
	}
	for _, t := range []*target{b.bare, b.ingest} {
		if _, err := b.full(ctx, t); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *edgeBench) target(ctx context.Context, name string, broker *process, args ...string) (*target, error) {
	server, err := b.spawn(ctx, name, args...)
	if err != nil {
		return nil, err
	}
	conns, err := dial(ctx, server.address, connections)
	if err != nil {
		return nil, errors.Join(err, server.stop())
	}
	return &target{server: server, broker: broker, conns: conns}, nil
}

func (b *edgeBench) stop() error {
	var errs []error
	for _, t := range []*target{b.ingest, b.bare} {
		if t != nil {
			hangUp(t.conns)
			errs = append(errs, t.server.stop())
		}
	}
	if b.broker != nil {
		errs = append(errs, b.broker.stop())
	}
	return errors.Join(errs...)
}

// spent is what a turn gave, and what each process used for it.
type spent struct {
	*load
	generator, server, broker usage
}

// turn sends signed requests and measures what that takes.
func (b *edgeBench) turn(ctx context.Context, t *target, send func(requests [][]byte) (*load, error)) (*spent, error) {
	requests, err := signed(ctx, t.server.address, distinct)
	if err != nil {
		return nil, err
	}
	before, err := t.usage()
	if err != nil {
		return nil, err
	}
	l, err := send(requests)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.server.name, err)
	}
	after, err := t.usage()
	if err != nil {
		return nil, err
	}
	return &spent{
		load: l, generator: after[0].since(before[0]),
		server: after[1].since(before[1]), broker: after[2].since(before[2]),
	}, nil
}

// usage of the load generator, the server, and the broker.
func (t *target) usage() (u [3]usage, err error) {
	u[0] = used()
	if u[1], err = t.server.used(); err != nil || t.broker == nil {
		return u, err
	}
	u[2], err = t.broker.used()
	return u, err
}

// full is a turn with as much as the server takes.
func (b *edgeBench) full(ctx context.Context, t *target) (*spent, error) {
	return b.turn(ctx, t, func(requests [][]byte) (*load, error) {
		return closedLoop(ctx, t.conns, requests, b.Turn)
	})
}

// capacity takes the rounds of full load.
func (b *edgeBench) capacity(ctx context.Context, c *capacity) error {
	var baseline, subject *spent
	return b.rounds(ctx, "as fast as it goes",
		func(ctx context.Context) (err error) { baseline, err = b.full(ctx, b.bare); return err },
		func(ctx context.Context) (err error) {
			if subject, err = b.full(ctx, b.ingest); err == nil {
				c.add(baseline, subject)
			}
			return err
		})
}

// latency takes the rounds of a fixed rate of requests.
func (b *edgeBench) latency(ctx context.Context, share int, rate float64) ([]Measure, error) {
	at := fmt.Sprintf("at %.0f/s, %d %% of ingest's capacity", rate, share)
	list := []Measure{
		{Name: "p50 " + at, Unit: "ms", By: Difference},
		{Name: "p99 " + at, Unit: "ms", By: Difference},
		{Name: "p99.9 " + at, Unit: "ms", By: Difference},
	}
	if share == goalShare {
		list[1].Limit = atMost(mostP99)
	}
	var baseline *spent
	at50 := func(t *target) (*spent, error) {
		return b.turn(ctx, t, func(requests [][]byte) (*load, error) {
			return openLoop(ctx, t.conns, requests, rate, b.Turn)
		})
	}
	err := b.rounds(ctx, at,
		func(context.Context) (err error) { baseline, err = at50(b.bare); return err },
		func(context.Context) error {
			subject, err := at50(b.ingest)
			if err != nil {
				return err
			}
			for i, q := range []float64{.50, .99, .999} {
				list[i].add(baseline.milliseconds(q), subject.milliseconds(q))
			}
			return nil
		})
	return list, err
}
