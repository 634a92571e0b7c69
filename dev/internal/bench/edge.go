// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// edge is what verification, identification and a broker's acknowledgement cost
// a webhook, beside HTTP itself.
var edge = Benchmark{
	Name:     "edge",
	Title:    fmt.Sprintf("signed Stripe webhooks of %d bytes on %d keep-alive connections", bodyBytes, connections),
	Baseline: bareSide, Subject: ingestSide,
	pass: passEdge, charts: edgeCharts,
}

// The sides.
const (
	bareSide   = "net/http"
	ingestSide = "ingest"
)

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

// shares of ingest's capacity, in percent, at which latencies are taken. At 100
// nobody keeps up: it shows how latency grows.
var shares = []int{25, goalShare, 75, percentage}

// passEdge loads both servers as much as they take, and then both equally, at
// shares of what ingest took so far.
func passEdge(ctx context.Context, r *Run) (err error) {
	r.progress("starting the servers")
	b, err := startEdge(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	capacity := r.newCapacity(b.cluster.process != nil)
	if err := b.capacity(ctx, capacity); err != nil {
		return err
	}
	rate := median(capacity.rate.Subject)
	for _, share := range shares {
		if err := b.latency(ctx, share, rate*float64(share)/percentage); err != nil {
			return err
		}
	}
	return nil
}

// edgeBench is the benchmark's processes.
type edgeBench struct {
	*Run
	cluster      *cluster
	bare, ingest *target
}

// target is one server under load.
type target struct {
	server *process
	broker *process // nil where the server has none of ours
	conns  []*conn
}

// startEdge starts both servers and the broker, each in a process of its own,
// and sends a first turn to warm them up.
func startEdge(ctx context.Context, r *Run) (_ *edgeBench, err error) {
	b := &edgeBench{Run: r}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop(ctx))
		}
	}()
	if b.cluster, err = r.startCluster(ctx); err != nil {
		return nil, err
	}
	if b.bare, err = b.target(ctx, nil, "bare", nil); err != nil {
		return nil, err
	}
	if b.ingest, err = b.target(ctx, nil, "ingest", b.cluster.process, b.cluster.args()...); err != nil {
		return nil, err
	}
	for _, t := range []*target{b.bare, b.ingest} {
		if _, err := b.full(ctx, t, b.Turn); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *edgeBench) target(ctx context.Context, env []string, name string, broker *process, args ...string) (*target, error) {
	server, err := b.spawnIn(ctx, env, name, args...)
	if err != nil {
		return nil, err
	}
	conns, err := dial(ctx, server.address, connections)
	if err != nil {
		return nil, errors.Join(err, server.stop())
	}
	return &target{server: server, broker: broker, conns: conns}, nil
}

func (b *edgeBench) stop(ctx context.Context) error {
	var errs []error
	for _, t := range []*target{b.ingest, b.bare} {
		if t != nil {
			hangUp(t.conns)
			errs = append(errs, t.server.stop())
		}
	}
	return errors.Join(append(errs, b.cluster.stop(ctx))...)
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

// full loads a target with as much as it takes.
func (b *edgeBench) full(ctx context.Context, t *target, d time.Duration) (*spent, error) {
	return b.turn(ctx, t, func(requests [][]byte) (*load, error) {
		return closedLoop(ctx, t.conns, requests, d)
	})
}

// slicesOfTurn are the parts of a turn under full load. What a virtual machine gets
// goes up and down within seconds: sides that take turns of a fifth of a second
// share that, and a few percent between them can be told.
const slicesOfTurn = 5

// alternate gives each target its turn under full load, slice by slice; who is
// first changes too.
func (b *edgeBench) alternate(ctx context.Context, targets ...*target) ([]*spent, error) {
	sums := make([]*spent, len(targets))
	for i := range targets {
		sums[i] = &spent{load: &load{}}
	}
	for slice := range slicesOfTurn {
		for i := range targets {
			at := (i + slice) % len(targets)
			s, err := b.full(ctx, targets[at], b.Turn/slicesOfTurn)
			if err != nil {
				return nil, err
			}
			sums[at].add(s)
		}
	}
	return sums, nil
}

// add makes s the sum of both. It has no latencies: under full load they say little.
func (s *spent) add(other *spent) {
	s.requests += other.requests
	s.elapsed += other.elapsed
	s.generator = s.generator.plus(other.generator)
	s.server = s.server.plus(other.server)
	s.broker = s.broker.plus(other.broker)
}

// capacity takes the rounds of full load.
func (b *edgeBench) capacity(ctx context.Context, c *capacity) error {
	return b.rounds(ctx, "as fast as it goes", func(ctx context.Context) error {
		s, err := b.alternate(ctx, b.bare, b.ingest)
		if err == nil {
			c.add(s[0], s[1])
		}
		return err
	})
}

// ofCapacity ends the names of what a fixed rate of requests gave.
func ofCapacity(share int) string { return fmt.Sprintf("at %d %% of capacity", share) }

func answered(share int) Measure {
	return Measure{Name: "answered " + ofCapacity(share), Unit: "/s", By: Ratio}
}

func p99(share int) Measure {
	m := Measure{Name: "p99 " + ofCapacity(share), Unit: "ms", By: Difference}
	if share == goalShare {
		m.Limit = atMost(mostP99)
	}
	return m
}

// latency takes the rounds of a fixed rate of requests.
func (b *edgeBench) latency(ctx context.Context, share int, rate float64) error {
	at := ofCapacity(share)
	rates := b.measure(answered(share))
	quantiles := map[float64]*Measure{}
	for _, q := range []struct {
		q float64
		m Measure
	}{
		{.50, Measure{Name: "p50 " + at, Unit: "ms", By: Difference}},
		{.99, p99(share)},
		{.999, Measure{Name: "p99.9 " + at, Unit: "ms", By: Difference}},
	} {
		quantiles[q.q] = b.measure(q.m)
	}
	open := func(t *target) (*spent, error) {
		return b.turn(ctx, t, func(requests [][]byte) (*load, error) {
			return openLoop(ctx, t.conns, requests, rate, b.Turn)
		})
	}
	var baseline *spent
	return b.rounds(ctx, fmt.Sprintf("%.0f/s, %s", rate, at),
		func(context.Context) (err error) { baseline, err = open(b.bare); return err },
		func(context.Context) error {
			subject, err := open(b.ingest)
			if err != nil {
				return err
			}
			for q, m := range quantiles {
				m.add(baseline.milliseconds(q), subject.milliseconds(q))
			}
			rates.add(baseline.rate(), subject.rate())
			return nil
		})
}

// edgeCharts are what both sides do as the load grows. The bare handler keeps up
// with all that ingest is offered: what it answers is the load.
func edgeCharts(r *Run) []plot.Chart {
	offered := plot.Axis{Title: "offered, webhooks a second"}
	chart := func(name, title string, y plot.Axis, of func(share int) Measure) plot.Chart {
		subject, baseline := plot.Line{Name: ingestSide}, plot.Line{Name: bareSide, Reference: true}
		for _, share := range shares {
			x, m := median(r.measure(answered(share)).Baseline), r.measure(of(share))
			subject.Points = append(subject.Points, point(x, m.Subject))
			baseline.Points = append(baseline.Points, point(x, m.Baseline))
		}
		return plot.Chart{Name: name, Title: title, X: offered, Y: y, Lines: []plot.Line{subject, baseline}}
	}
	return []plot.Chart{
		chart("edge-throughput", "Webhooks answered by offered load", plot.Axis{Title: "answered, webhooks a second"}, answered),
		chart("edge-p99", "99th percentile of latency by offered load", plot.Axis{Title: "p99, ms", Log: true}, p99),
	}
}
