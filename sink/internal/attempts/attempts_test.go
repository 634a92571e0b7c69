// SPDX-License-Identifier: Apache-2.0

package attempts

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// served is the State as sink status reads it.
func served(t *testing.T, b *Board) (s State) {
	t.Helper()
	w := httptest.NewRecorder()
	b.ServeHTTP(w, nil)
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBoard(t *testing.T) {
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	measured := func() (points []metricdata.DataPoint[int64]) {
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all.ScopeMetrics {
			for _, m := range s.Metrics {
				gauge, ok := m.Data.(metricdata.Gauge[int64])
				if !ok {
					t.Fatalf("%s is a %T", m.Name, m.Data)
				}
				points = append(points, gauge.DataPoints...)
			}
		}
		return points
	}
	b, err := NewBoard()
	if err != nil {
		t.Fatal(err)
	}
	if s := served(t, b); s.Retrying == nil || len(s.Retrying) > 0 || s.LastError != nil {
		t.Errorf("at first %+v", s)
	}
	p0, p1 := kafka.Partition{Topic: "t", Partition: 0}, kafka.Partition{Topic: "t", Partition: 1}
	next := time.Now().Add(time.Minute).Round(0)
	b.Note(fenced.Attempt{Partitions: []kafka.Partition{p1, p0}, Failures: 1, Next: next, Err: errors.New("first")})
	since := served(t, b).Retrying[0].Since
	b.Note(fenced.Attempt{Partitions: []kafka.Partition{p0}, Failures: 2, Next: next, Err: errors.New("second")})
	b.Note(fenced.Attempt{Partitions: []kafka.Partition{p1}})
	s := served(t, b)
	if len(s.Retrying) != 1 || s.LastError == nil || s.LastError.Reason != "second" {
		t.Fatalf("got %+v", s)
	}
	if r := s.Retrying[0]; r.Partition != 0 || r.Attempts != 2 || r.Reason != "second" || !r.NextAttempt.Equal(next) || !r.Since.Equal(since) {
		t.Errorf("got %+v", r)
	}
	if points := measured(); len(points) != 1 || points[0].Value != 2 {
		t.Errorf("measured %+v", points)
	}
	b.Note(fenced.Attempt{Partitions: []kafka.Partition{p0, p1}})
	if s := served(t, b); len(s.Retrying) > 0 || s.LastError == nil {
		t.Errorf("in the end %+v", s)
	}
	if points := measured(); len(points) > 0 {
		t.Errorf("measured %+v of nothing", points)
	}
}
