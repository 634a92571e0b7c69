// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/schemas/reason"
)

// metrics are labelled with what is bounded: the provider's name where there is
// a definition of it, the status and the outcome. What every request counts is kept
// here and read when metrics are asked for: OpenTelemetry's counters take some 400 ns
// for what an atomic addition does.
type metrics struct {
	duration metric.Float64Histogram
	defects  metric.Int64Counter

	requests counts[labels]
	events   counts[string]
	inFlight atomic.Int64
}

type labels struct {
	provider, outcome string
	status            int
}

func (l labels) set() attribute.Set {
	return attribute.NewSet(
		attribute.String("provider", l.provider),
		attribute.Int("status", l.status),
		attribute.String("outcome", l.outcome))
}

// newMetrics makes metrics that are read until the process ends: it counts on.
func newMetrics() (*metrics, error) {
	m := &metrics{}
	meter := otel.Meter("github.com/hookstream/hookstream/ingest/edge")
	var err [6]error
	m.duration, err[0] = meter.Float64Histogram("hookstream.ingest.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a request's headers to its answer."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	m.defects, err[1] = meter.Int64Counter("hookstream.ingest.defects",
		metric.WithDescription("Verified webhooks that were stored although they cannot be processed, by reason."))
	requests, e := meter.Int64ObservableCounter("hookstream.ingest.requests",
		metric.WithDescription("Requests by provider, status and outcome."))
	err[2] = e
	events, e := meter.Int64ObservableCounter("hookstream.ingest.events",
		metric.WithDescription("Verified webhooks that were stored; a request that is a batch holds many."))
	err[3] = e
	inFlight, e := meter.Int64ObservableUpDownCounter("hookstream.ingest.requests.in_flight",
		metric.WithDescription("Requests being answered."))
	err[4] = e
	_, err[5] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.requests.each(func(c *count) { o.ObserveInt64(requests, c.n.Load(), c.observe...) })
		m.events.each(func(c *count) { o.ObserveInt64(events, c.n.Load(), c.observe...) })
		o.ObserveInt64(inFlight, m.inFlight.Load())
		return nil
	}, requests, events, inFlight)
	return m, errors.Join(err[:]...)
}

func (m *metrics) answered(ctx context.Context, l labels, took time.Duration) {
	c := m.requests.of(l, labels.set)
	c.n.Add(1)
	m.duration.Record(ctx, took.Seconds(), c.record...)
}

// stored counts n webhooks of a provider.
func (m *metrics) stored(providerName string, n int) {
	m.events.of(providerName, ofProvider).n.Add(int64(n))
}

func ofProvider(name string) attribute.Set {
	return attribute.NewSet(attribute.String("provider", name))
}

func (m *metrics) defect(ctx context.Context, providerName string, code reason.Code) {
	m.defects.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", providerName), attribute.String("reason", string(code))))
}

// counts are kept by what their attributes are made of. There are as many as there
// are labels, which are bounded.
type counts[K comparable] struct {
	mu  sync.RWMutex
	all map[K]*count
}

// count is one of them, with its attributes as the instruments want them: they are
// expensive to make.
type count struct {
	n       atomic.Int64
	observe []metric.ObserveOption
	record  []metric.RecordOption
}

// of is the count of a key, whose attributes set makes.
func (c *counts[K]) of(key K, set func(K) attribute.Set) *count {
	c.mu.RLock()
	one, ok := c.all[key]
	c.mu.RUnlock()
	if ok {
		return one
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, ok := c.all[key]; ok {
		return one // another request made it meanwhile
	}
	if c.all == nil {
		c.all = map[K]*count{}
	}
	s := metric.WithAttributeSet(set(key))
	one = &count{observe: []metric.ObserveOption{s}, record: []metric.RecordOption{s}}
	c.all[key] = one
	return one
}

func (c *counts[K]) each(do func(*count)) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, one := range c.all {
		do(one)
	}
}
