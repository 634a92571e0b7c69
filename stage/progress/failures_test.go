// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/metricstest"
)

func TestFailuresAreCountedByWhatAndWhy(t *testing.T) {
	metrics := metricstest.Record(t)
	m, err := New("readers")
	if err != nil {
		t.Fatal(err)
	}
	m.Failed(t.Context(), Batch, errors.New("the database is away"))
	m.Failed(t.Context(), Batch, failure.NewFatal("no such table"))
	fails := m.Session(func(context.Context) error { return context.DeadlineExceeded })
	_ = fails(t.Context())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = fails(ended) // which is no failure
	_ = m.Session(func(context.Context) error { return nil })(t.Context())
	got := metrics.Values("hookstream.consumer.failures", "group", "work", "error_type")
	want := map[string]int64{"readers batch transient": 1, "readers batch fatal": 1, "readers session timeout": 1}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
