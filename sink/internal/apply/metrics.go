// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
)

// metrics count what was committed, and only then.
type metrics struct {
	events, repeats, letters, retries metric.Int64Counter
	open                              metric.Int64Gauge
	batch, latency                    metric.Float64Histogram
}

// latencyBounds lie close together up to the minutes of an outage: a quantile is
// interpolated within its bucket, and one from 10 s to 60 s made 59 s of 32 s.
var latencyBounds = []float64{
	.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 120, 150, 180, 240, 300, 450, 600, 1800, 3600,
}

func newMetrics() (*metrics, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/sink")
	var errs [7]error
	m := &metrics{}
	m.events, errs[0] = meter.Int64Counter("hookstream.sink.events", metric.WithDescription("Events in the ledger by entity and outcome."))
	m.repeats, errs[1] = meter.Int64Counter("hookstream.sink.repeats", metric.WithDescription("Repeats of events that the ledger already had."))
	m.letters, errs[2] = meter.Int64Counter("hookstream.sink.dead_letters", metric.WithDescription("Events that were dead-lettered, by reason."))
	m.retries, errs[3] = meter.Int64Counter("hookstream.sink.retries", metric.WithDescription("Batches that failed and are tried again, by SQLSTATE."))
	m.batch, errs[4] = meter.Float64Histogram("hookstream.sink.batch.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from a poll's batch to its commit."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30))
	m.latency, errs[5] = meter.Float64Histogram("hookstream.sink.latency", metric.WithUnit("s"),
		metric.WithDescription("Time from a webhook's receipt to its committed row."),
		metric.WithExplicitBucketBoundaries(latencyBounds...))
	m.open, errs[6] = meter.Int64Gauge("hookstream.sink.breaker.open",
		metric.WithDescription("Event types most of which the database refuses, and whose partitions wait."))
	return m, errors.Join(errs[:]...)
}

func (m *metrics) committed(ctx context.Context, b *batch, started time.Time) {
	now := time.Now()
	m.batch.Record(ctx, now.Sub(started).Seconds())
	type series struct {
		entity  string
		outcome ledger.Outcome
	}
	events := map[series]int64{}
	for _, it := range b.plan.fresh {
		events[series{it.Event.Entity, it.Outcome}]++
		m.latency.Record(it.traced(ctx, string(it.Outcome)), now.Sub(it.Event.Meta.ReceivedAt).Seconds())
	}
	for _, it := range b.plan.repeats {
		it.traced(ctx, "repeat")
	}
	for s, n := range events {
		m.events.Add(ctx, n, metric.WithAttributes(attribute.String("entity", s.entity), attribute.String("outcome", string(s.outcome))))
	}
	if n := len(b.plan.repeats); n > 0 {
		m.repeats.Add(ctx, int64(n))
	}
	letters := map[reason.Code]int64{}
	for _, r := range b.refusals() {
		letters[failure.ReasonOf(r.cause)]++
	}
	for code, n := range letters {
		m.letters.Add(ctx, n, metric.WithAttributes(attribute.String("reason", string(code))))
	}
}

// traced is ctx in the item's trace, where that is recorded, so that what is
// measured has an exemplar. The trace is told what became of the item.
func (it *item) traced(ctx context.Context, outcome string) context.Context {
	span, ok := tracing.Of(it.record)
	if !ok {
		return ctx
	}
	span.SetAttributes(tracing.Outcome.String(outcome), tracing.Entity.String(it.Event.Entity))
	return it.record.Context
}

// retried counts a failed attempt. Codes are a closed set; what has none did
// not come from the server.
func (m *metrics) retried(ctx context.Context, err error) {
	code := sqlstate.Code(err)
	switch {
	case errors.Is(err, fenced.ErrClaim):
		code = "claim"
	case errors.As(err, new(*kafka.Hold)):
		code = "held"
	case code == "":
		code = "none"
	}
	m.retries.Add(ctx, 1, metric.WithAttributes(attribute.String("sqlstate", code)))
}
