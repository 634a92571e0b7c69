// SPDX-License-Identifier: Apache-2.0

package backlog

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Measure registers the metrics of b: the open dead letters and the age of the
// oldest by stage and reason, and what was not counted. The returned function
// takes them back.
func (b *Backlog) Measure(now func() time.Time) (stop func() error, err error) {
	meter := otel.Meter("github.com/hookstream/hookstream/dlq/backlog")
	open, err1 := meter.Int64ObservableGauge("hookstream.dlq.open",
		metric.WithDescription("Open dead letters by stage and reason."))
	oldest, err2 := meter.Float64ObservableGauge("hookstream.dlq.oldest.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the oldest open dead letter failed, by stage and reason; 0 where none is open."))
	skipped, err3 := meter.Int64ObservableGauge("hookstream.dlq.uncounted",
		metric.WithDescription("Records that are not counted because HOOKSTREAM_DLQ_MAX_INDEXED is reached; the other counts are too low by at most as many."))
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		counts, missed := b.Counts()
		if counts == nil {
			return nil
		}
		o.ObserveInt64(skipped, int64(missed))
		for _, c := range counts {
			labels := metric.WithAttributes(attribute.String("stage", c.Stage), attribute.String("reason", c.Reason))
			o.ObserveInt64(open, int64(c.Open), labels)
			age := 0.0
			if c.Open > 0 {
				age = max(0, now().Sub(c.Oldest).Seconds())
			}
			o.ObserveFloat64(oldest, age, labels)
		}
		return nil
	}, open, oldest, skipped)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}
