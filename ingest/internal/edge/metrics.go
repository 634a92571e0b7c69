// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/schemas/reason"
)

// metrics are labelled with what is bounded: the provider's name where there is
// a definition of it, the status and the outcome.
type metrics struct {
	requests metric.Int64Counter
	duration metric.Float64Histogram
	inFlight metric.Int64UpDownCounter
	events   metric.Int64Counter
	defects  metric.Int64Counter
	// Attribute sets are expensive to build, so they are kept.
	byLabels   options[labels]
	byProvider options[string]
}

type labels struct {
	provider, outcome string
	status            int
}

func newMetrics() (*metrics, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/ingest/edge")
	requests, err1 := meter.Int64Counter("hookstream.ingest.requests",
		metric.WithDescription("Requests by provider, status and outcome."))
	duration, err2 := meter.Float64Histogram("hookstream.ingest.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a request's headers to its answer."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10))
	inFlight, err3 := meter.Int64UpDownCounter("hookstream.ingest.requests.in_flight",
		metric.WithDescription("Requests being answered."))
	events, err4 := meter.Int64Counter("hookstream.ingest.events",
		metric.WithDescription("Verified webhooks that were stored; a request that is a batch holds many."))
	defects, err5 := meter.Int64Counter("hookstream.ingest.defects",
		metric.WithDescription("Verified webhooks that were stored although they cannot be processed, by reason."))
	return &metrics{requests: requests, duration: duration, inFlight: inFlight, events: events, defects: defects},
		errors.Join(err1, err2, err3, err4, err5)
}

func (m *metrics) answered(ctx context.Context, l labels, took time.Duration) {
	o := m.byLabels.of(l, func() attribute.Set {
		return attribute.NewSet(
			attribute.String("provider", l.provider),
			attribute.Int("status", l.status),
			attribute.String("outcome", l.outcome))
	})
	m.requests.Add(ctx, 1, o.add...)
	m.duration.Record(ctx, took.Seconds(), o.record...)
}

// stored counts n webhooks of a provider.
func (m *metrics) stored(ctx context.Context, providerName string, n int) {
	o := m.byProvider.of(providerName, func() attribute.Set {
		return attribute.NewSet(attribute.String("provider", providerName))
	})
	m.events.Add(ctx, int64(n), o.add...)
}

func (m *metrics) defect(ctx context.Context, providerName string, code reason.Code) {
	m.defects.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", providerName), attribute.String("reason", string(code))))
}

// options keeps attribute sets, as the instruments want them, by what they are
// made of. There are as many as there are labels, which are bounded.
type options[K comparable] struct {
	mu  sync.RWMutex
	all map[K]*option
}

type option struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// of is the kept attribute set of a key.
func (c *options[K]) of(key K, set func() attribute.Set) *option {
	c.mu.RLock()
	o, ok := c.all[key]
	c.mu.RUnlock()
	if ok {
		return o
	}
	s := metric.WithAttributeSet(set())
	o = &option{[]metric.AddOption{s}, []metric.RecordOption{s}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[K]*option{}
	}
	c.all[key] = o
	return o
}
