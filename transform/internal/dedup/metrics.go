// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

type metrics struct {
	entries         metric.Int64Gauge
	bytes           metric.Int64Gauge
	window          metric.Float64Gauge
	restoredEntries metric.Int64Counter
	restoreSeconds  metric.Float64Histogram
}

func newMetrics() (metrics, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/transform/internal/dedup")
	entries, err1 := meter.Int64Gauge("hookstream.transform.dedup.entries",
		metric.WithDescription("Events that are remembered."))
	size, err4 := meter.Int64Gauge("hookstream.transform.dedup.memory",
		metric.WithDescription("Memory that the remembered events take."), metric.WithUnit("By"))
	window, err5 := meter.Float64Gauge("hookstream.transform.dedup.window",
		metric.WithDescription("How long an event is remembered."), metric.WithUnit("s"))
	restored, err2 := meter.Int64Counter("hookstream.transform.dedup.restored",
		metric.WithDescription("Events read back from the changelog."))
	seconds, err3 := meter.Float64Histogram("hookstream.transform.dedup.restore.duration",
		metric.WithDescription("Time from an assignment to the restored set."), metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120))
	return metrics{entries, size, window, restored, seconds}, errors.Join(err1, err2, err3, err4, err5)
}

func (m *metrics) size(ctx context.Context, s *Sets) {
	m.entries.Record(ctx, int64(s.Len()))
	m.bytes.Record(ctx, int64(s.Bytes()))
}

func (m *metrics) restored(ctx context.Context, entries int, took time.Duration) {
	m.restoredEntries.Add(ctx, int64(entries))
	m.restoreSeconds.Record(ctx, took.Seconds())
}
