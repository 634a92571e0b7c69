// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hookstream/hookstream/stage/failure"
)

// failuresOf are the counts, by work and error type.
func failuresOf(t *testing.T, reader *sdkmetric.ManualReader) map[[2]string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[[2]string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "hookstream.consumer.failures" {
				continue
			}
			for _, p := range sum.DataPoints {
				get := func(name string) string { v, _ := p.Attributes.Value(attribute.Key(name)); return v.AsString() }
				if get("group") != "readers" {
					t.Errorf("the group is %q", get("group"))
				}
				counts[[2]string{get("work"), get("error_type")}] += p.Value
			}
		}
	}
	return counts
}

func TestFailuresAreCountedByWhatAndWhy(t *testing.T) {
	m, reader := newMeter(t)
	m.Failed(t.Context(), Batch, errors.New("the database is away"))
	m.Failed(t.Context(), Batch, failure.NewFatal("no such table"))
	fails := m.Session(func(context.Context) error { return context.DeadlineExceeded })
	_ = fails(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = fails(ended) // which is no failure
	_ = m.Session(func(context.Context) error { return nil })(t.Context())
	got := failuresOf(t, reader)
	want := map[[2]string]int64{{"batch", "transient"}: 1, {"batch", "fatal"}: 1, {"session", "timeout"}: 1}
	for key, n := range want {
		if got[key] != n {
			t.Errorf("%v is counted %d times, want %d", key, got[key], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
