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
	defects, err4 := meter.Int64Counter("hookstream.ingest.defects",
		metric.WithDescription("Verified webhooks that were stored although they cannot be processed, by reason."))
	return &metrics{requests: requests, duration: duration, inFlight: inFlight, defects: defects},
		errors.Join(err1, err2, err3, err4)
}

func (m *metrics) answered(ctx context.Context, l labels, took time.Duration) {
	cached, ok := m.options.Load(l)
	if !ok {
		cached, _ = m.options.LoadOrStore(l, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("provider", l.provider),
			attribute.Int("status", l.status),
			attribute.String("outcome", l.outcome))))
	}
	option := cached.(metric.MeasurementOption) //nolint:errcheck // the map holds nothing else
	m.requests.Add(ctx, 1, option)
	m.duration.Record(ctx, took.Seconds(), option)
}

func (m *metrics) defect(ctx context.Context, providerName string, code reason.Code) {
	m.defects.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", providerName), attribute.String("reason", string(code))))
}
