// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
	"github.com/hookstream/hookstream/dev/internal/postgres"
	"github.com/hookstream/hookstream/dev/internal/registry"
	"github.com/hookstream/hookstream/dev/internal/workload"
)

// pipeline is the way of a webhook from the request to the row, with the services
// as they are shipped and a Postgres that waits for its disk.
var pipeline = Benchmark{
	Name:    "pipeline",
	Title:   fmt.Sprintf("signed Stripe webhooks of %d bytes to rows, three a payment, fsync on", bodyBytes),
	Subject: "row", pass: passPipeline, charts: pipelineCharts,
}

const (
	// steadyRate is the load, in webhooks a second, for which there are goals.
	steadyRate = 2000
	mostRowP50 = 25  // ms
	mostRowP99 = 100 // ms
	// lookEvery is how often it is looked whether rows are there: latencies are
	// too long by up to as much.
	lookEvery = 2 * time.Millisecond
	// longer than others are the turns of a whole installation, for percentiles of
	// so few events.
	longer = 2
)

// The loads whose latencies are taken: one that is the same everywhere, and half of
// what this machine sustains.
var (
	atSteady = fmt.Sprintf("at %d/s", steadyRate)
	atHalf   = "at half load"
)

func passPipeline(ctx context.Context, r *Run) (err error) {
	b, err := startPipeline(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if _, err := b.turn(ctx, steadyRate, b.Turn); err != nil { // warms everything up
		return err
	}
	if err := b.latencies(ctx, atSteady, steadyRate, atMost(mostRowP50), atMost(mostRowP99)); err != nil {
		return err
	}
	highest := b.measure(absolute("sustained with no growth of lag", "/s", nil))
	err = b.rounds(ctx, "the highest rate that holds", func(ctx context.Context) error {
		rate, err := b.highest(ctx, highest.Subject)
		highest.take(rate)
		return err
	})
	if err != nil {
		return err
	}
	return b.latencies(ctx, atHalf, median(highest.Subject)/2, nil, nil)
}

// Kinds of samples.
const (
	rowLatency    = "row "
	answerLatency = "202 "
)

func pipelineCharts(r *Run) []plot.Chart {
	var lines []plot.Line
	for _, of := range []string{rowLatency + atSteady, rowLatency + atHalf, answerLatency + atSteady} {
		lines = append(lines, distribution(of, r.samples[of]))
	}
	return []plot.Chart{{
		Name: "request-to-row", Title: "Time from the request to the visible row",
		X: plot.Axis{Title: "ms since the request was due", Log: true}, Y: plot.Axis{Title: "percent of events"},
		Lines: lines,
	}}
}

// pipelineBench is a whole installation.
type pipelineBench struct {
	*Run
	cluster  *cluster
	registry *registry.Registry
	postgres *postgres.Server
	programs map[string]*program
	conns    []*conn
	turns    int
}

func startPipeline(ctx context.Context, r *Run) (_ *pipelineBench, err error) {
	b := &pipelineBench{Run: r, programs: map[string]*program{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.stop(ctx))
		}
	}()
	r.progress("building and starting the services")
	dir, err := b.built.services(ctx)
	if err != nil {
		return nil, err
	}
	if b.cluster, err = r.startCluster(ctx); err != nil {
		return nil, err
	}
	if b.registry, err = registry.Start(ctx, "127.0.0.1:0", ""); err != nil {
		return nil, err
	}
	if b.postgres, err = postgres.Start(ctx, postgres.Options{Logger: errorsOnly()}); err != nil {
		return nil, err
	}
	for _, name := range services {
		if b.programs[name], err = launch(ctx, dir+name, b.settings(), r.Progress); err != nil {
			return nil, err
		}
	}
	b.conns, err = dial(ctx, b.programs["ingest"].address, connections)
	return b, err
}

// settings are what differs from the defaults.
func (b *pipelineBench) settings() []string {
	names := b.cluster.names()
	return []string{
		"HOOKSTREAM_BROKERS=" + strings.Join(b.cluster.brokers, ","),
		"HOOKSTREAM_TOPIC_RAW=" + names.Raw, "HOOKSTREAM_TOPIC_DEDUP=" + names.Dedup, "HOOKSTREAM_TOPIC_HELD=" + names.Held,
		"HOOKSTREAM_TOPIC_DLQ=" + names.DeadLetters, "HOOKSTREAM_TOPIC_RESOLUTIONS=" + names.Resolutions,
		"HOOKSTREAM_TOPIC_SINK_REPLAY=" + names.SinkReplay, "HOOKSTREAM_TOPIC_EVENTS_PREFIX=" + names.EventsPrefix,
		"HOOKSTREAM_TRANSFORM_GROUP=" + b.cluster.prefix + "transform", "HOOKSTREAM_SINK_GROUP=" + b.group(),
		"HOOKSTREAM_REGISTRY_URL=" + b.registry.URL(), "HOOKSTREAM_DATABASE_URL=" + b.postgres.URL(),
		"HOOKSTREAM_SECRETS=" + workload.SecretList(), "HOOKSTREAM_INSTANCE_ID=bench",
		"HOOKSTREAM_RATE_LIMIT=0", "HOOKSTREAM_DRAIN_DELAY=0s", "HOOKSTREAM_LOG_LEVEL=error",
	}
}

func (b *pipelineBench) group() string { return b.cluster.prefix + "sink" }

// stop drains the services in the order of the flow.
func (b *pipelineBench) stop(ctx context.Context) error {
	hangUp(b.conns)
	var errs []error
	for _, name := range services {
		if p := b.programs[name]; p != nil {
			errs = append(errs, p.stop())
		}
	}
	if b.postgres != nil {
		errs = append(errs, b.postgres.Stop(context.WithoutCancel(ctx)))
	}
	if b.registry != nil {
		errs = append(errs, b.registry.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(append(errs, b.cluster.stop(ctx))...)
}

// flow is what became of the webhooks of one turn.
type flow struct {
	*load
	rate float64
	// due and visible are when each was to be sent, and when it was in its row,
	// since the start; by the number of the webhook.
	due, visible []time.Duration
}

// turn sends webhooks at a rate and waits until they are all in the database.
func (b *pipelineBench) turn(ctx context.Context, rate float64, d time.Duration) (*flow, error) {
	b.turns++
	prefix := fmt.Sprintf("evt_bench%d_", b.turns)
	n := int(rate * d.Seconds())
	requests, err := signedEvents(ctx, b.programs["ingest"].address, prefix, n+1)
	if err != nil {
		return nil, err
	}
	w, err := newWatcher(ctx, b.postgres.URL(), b.group(), lookEvery)
	if err != nil {
		return nil, err
	}
	defer w.conn.Close(context.WithoutCancel(ctx))
	watchCtx, seenAll := context.WithCancel(ctx)
	defer seenAll()
	watched := make(chan error, 1)
	go func() { watched <- w.watch(watchCtx) }()
	l, err := openLoop(ctx, b.conns, requests, rate, d)
	if err == nil {
		err = b.drained(ctx, prefix, l.requests)
	}
	seenAll()
	if err := errors.Join(err, <-watched, w.look(ctx)); err != nil {
		return nil, err
	}
	arrivals, err := w.arrivals(ctx, prefix)
	if err != nil {
		return nil, err
	}
	return newFlow(l, rate, prefix, arrivals)
}

func newFlow(l *load, rate float64, prefix string, arrivals []arrival) (*flow, error) {
	f := &flow{load: l, rate: rate}
	for _, a := range arrivals {
		n, err := strconv.Atoi(strings.TrimPrefix(a.eventID, prefix))
		if err != nil {
			return nil, fmt.Errorf("event id %q is none of this turn's", a.eventID)
		}
		f.due = append(f.due, due(n, rate))
		f.visible = append(f.visible, a.at.Sub(l.start))
	}
	return f, nil
}

// drainPatience bounds the wait for what is under way at the end of a turn.
const drainPatience = 2 * time.Minute

// drained waits until n events of a prefix are in the database.
func (b *pipelineBench) drained(ctx context.Context, prefix string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	w, err := newWatcher(ctx, b.postgres.URL(), b.group(), 0)
	if err != nil {
		return err
	}
	defer w.conn.Close(context.WithoutCancel(ctx))
	for {
		got, err := w.count(ctx, prefix)
		if err != nil {
			return fmt.Errorf("%d of %d events are in the database: %w", got, n, err)
		}
		if got >= n {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d events are in the database: %w", got, n, err)
		}
	}
}

// toRow are the times from the request to the row, sorted, in milliseconds.
func (f *flow) toRow() []float64 {
	out := make([]float64, len(f.due))
	for i := range out {
		out[i] = float64(f.visible[i]-f.due[i]) / float64(time.Millisecond)
	}
	slices.Sort(out)
	return out
}

// latencies takes the rounds of a rate.
func (b *pipelineBench) latencies(ctx context.Context, at string, rate float64, p50, p99 *Limit) error {
	rowP50, rowP99 := b.measure(absolute("request to row p50 "+at, "ms", p50)), b.measure(absolute("request to row p99 "+at, "ms", p99))
	okP50, okP99 := b.measure(absolute("request to 202 p50 "+at, "ms", nil)), b.measure(absolute("request to 202 p99 "+at, "ms", nil))
	return b.rounds(ctx, fmt.Sprintf("%.0f/s", rate), func(ctx context.Context) error {
		f, err := b.turn(ctx, rate, longer*b.Turn)
		if err != nil {
			return err
		}
		rows := f.toRow()
		rowP50.take(quantile(rows, .50))
		rowP99.take(quantile(rows, .99))
		okP50.take(f.milliseconds(.50))
		okP99.take(f.milliseconds(.99))
		b.sample(rowLatency+at, rows...)
		for _, l := range f.latencies {
			b.sample(answerLatency+at, float64(l)/float64(time.Millisecond))
		}
		return nil
	})
}
