// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// newMeter is a Meter whose measurements the test reads.
func newMeter(t testing.TB) (*Meter, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	old := otel.GetMeterProvider()
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(old) })
	m, err := New("readers")
	if err != nil {
		t.Fatal(err)
	}
	return m, reader
}

// fetched are records from..to-1 of one partition, a second apart, the last of
// them now.
func fetched(from, to, end int64) (kgo.Fetches, []*kgo.Record) {
	var records []*kgo.Record
	for o := from; o < to; o++ {
		at := time.Now().Add(-time.Duration(to-1-o) * time.Second)
		records = append(records, &kgo.Record{Topic: "in", Partition: 3, Offset: o, Timestamp: at})
	}
	return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "in", Partitions: []kgo.FetchPartition{
		{Partition: 3, HighWatermark: end, Records: records},
	}}}}}, records
}

// gauge is the one value of a gauge of the partition, or false.
func gauge(t *testing.T, reader *sdkmetric.ManualReader, name string) (float64, bool) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	want := attribute.NewSet(attribute.String("group", "readers"), attribute.String("topic", "in"), attribute.Int("partition", 3))
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name != name {
				continue
			}
			switch g := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range g.DataPoints {
					if p.Attributes.Equals(&want) {
						return float64(p.Value), true
					}
				}
			case metricdata.Gauge[float64]:
				for _, p := range g.DataPoints {
					if p.Attributes.Equals(&want) {
						return p.Value, true
					}
				}
			}
		}
	}
	return 0, false
}

func TestLagInRecordsAndSeconds(t *testing.T) {
	m, reader := newMeter(t)
	want := func(when string, records, least, most float64) {
		t.Helper()
		if lag, ok := gauge(t, reader, "hookstream.consumer.lag"); !ok || lag != records {
			t.Errorf("%s: %g records, want %g", when, lag, records)
		}
		if age, ok := gauge(t, reader, "hookstream.consumer.lag.time"); !ok || age < least || age > most {
			t.Errorf("%s: %g seconds, want %g to %g", when, age, least, most)
		}
	}
	if _, ok := gauge(t, reader, "hookstream.consumer.lag"); ok {
		t.Error("there is a lag before anything was fetched")
	}
	fetches, records := fetched(10, 20, 50)
	m.Polled(fetches)
	want("in hand", 40, 9, 60)
	m.Polled(fetches) // again, after a rewind
	want("read again", 40, 9, 60)
	m.Done(t.Context(), records[:5])
	want("half done", 35, 5, 60)
	m.Done(t.Context(), records[5:])
	want("done", 30, 0, 0)
	m.Forget("in", 3)
	if _, ok := gauge(t, reader, "hookstream.consumer.lag"); ok {
		t.Error("a partition that was taken away still has a lag")
	}
}

func TestCloseEndsTheGauges(t *testing.T) {
	m, reader := newMeter(t)
	fetches, _ := fetched(0, 1, 1)
	m.Polled(fetches)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m.Polled(fetches)
	if _, ok := gauge(t, reader, "hookstream.consumer.lag"); ok {
		t.Error("a closed meter still reports")
	}
}

func TestPartitionsThatWait(t *testing.T) {
	m, reader := newMeter(t)
	held := attribute.NewSet(attribute.String("group", "readers"), attribute.String("state", "held"))
	want := func(n int64) {
		t.Helper()
		var all metricdata.ResourceMetrics
		if err := reader.Collect(context.Background(), &all); err != nil {
			t.Fatal(err)
		}
		for _, metrics := range all.ScopeMetrics[0].Metrics {
			g, ok := metrics.Data.(metricdata.Gauge[int64])
			if !ok || metrics.Name != "hookstream.consumer.partitions.waiting" {
				continue
			}
			for _, p := range g.DataPoints {
				if p.Attributes.Equals(&held) && p.Value == n {
					return
				}
			}
		}
		t.Errorf("not %d partitions are held", n)
	}
	want(0)
	m.Waiting(Held, 2)
	want(2)
	m.ForgetAll()
	want(0)
}
