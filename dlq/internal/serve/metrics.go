// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are labelled with routes and statuses, never with what a caller sends.
type metrics struct {
	requests metric.Int64Counter
	duration metric.Float64Histogram
}

func newMetrics() (*metrics, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/dlq/serve")
	requests, err1 := meter.Int64Counter("hookstream.dlq.requests",
		metric.WithDescription("Requests by route and status."))
	duration, err2 := meter.Float64Histogram("hookstream.dlq.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a request's headers to its answer; of a stream, how long it lasted."),
		metric.WithExplicitBucketBoundaries(.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60))
	return &metrics{requests, duration}, errors.Join(err1, err2)
}

func (m *metrics) answered(ctx context.Context, route string, status int, took time.Duration) {
	labels := metric.WithAttributes(attribute.String("route", route), attribute.Int("status", status))
	m.requests.Add(ctx, 1, labels)
	m.duration.Record(ctx, took.Seconds(), labels)
}
