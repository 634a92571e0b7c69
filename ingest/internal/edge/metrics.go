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
	// options caches the attribute sets, which are expensive to build.
	options sync.Map
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
	o := m.option(l, func() attribute.Set {
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
	o := m.option(storedBy(providerName), func() attribute.Set {
		return attribute.NewSet(attribute.String("provider", providerName))
	})
	m.events.Add(ctx, int64(n), o.add...)
}

type storedBy string

func (m *metrics) defect(ctx context.Context, providerName string, code reason.Code) {
	m.defects.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", providerName), attribute.String("reason", string(code))))
}

// options are an attribute set as the instruments want it.
type options struct {
	add    []metric.AddOption
	record []metric.RecordOption
}

// option is the cached attribute set of a key.
func (m *metrics) option(key any, set func() attribute.Set) *options {
	cached, ok := m.options.Load(key)
	if !ok {
		o := metric.WithAttributeSet(set())
		cached, _ = m.options.LoadOrStore(key, &options{[]metric.AddOption{o}, []metric.RecordOption{o}})
	}
	return cached.(*options) //nolint:errcheck // the map holds nothing else
}
