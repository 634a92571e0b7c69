// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hookstream/hookstream/stage/kafka"
)

// TestEveryFailureIsCounted: what is tried again in place, and what ends a session.
func TestEveryFailureIsCounted(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	old := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(old) })
	cluster, b := newFake(t, "Kafka refuses no sound record once and takes it the next time")
	b.send(t, 0, 10)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.out, Err: kerr.InvalidRecord, Count: 1})
	var restored, processed atomic.Bool
	once := func(done *atomic.Bool) error {
		if done.Swap(true) {
			return nil
		}
		return errPassing
	}
	b.start(t, b.config("a"), &copier{
		restore: func(context.Context, []kafka.Partition) error { return once(&restored) },
		process: func(context.Context, []*kgo.Record) error { return once(&processed) },
	})
	b.wantOutput(t, 10)
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "hookstream.consumer.failures" {
				for _, p := range sum.DataPoints {
					work, _ := p.Attributes.Value(attribute.Key("work"))
					kind, _ := p.Attributes.Value(attribute.Key("error_type"))
					got[work.AsString()+" "+kind.AsString()] += p.Value
				}
			}
		}
	}
	if want := map[string]int64{"restore transient": 1, "batch transient": 1, "batch INVALID_RECORD": 1, "session INVALID_RECORD": 1}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
