// SPDX-License-Identifier: Apache-2.0

package progress

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkDone is what a batch of 1,000 records of six partitions takes, of which
// nothing is sampled.
func BenchmarkDone(b *testing.B) {
	m, _ := newMeter(b)
	var records []*kgo.Record
	for n := range 1000 {
		records = append(records, &kgo.Record{Topic: "hookstream.raw", Partition: int32(n * 6 / 1000), Offset: int64(n), Timestamp: time.Now()})
	}
	for _, r := range records {
		m.positions[partition{r.Topic, r.Partition}] = &position{}
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Done(b.Context(), records)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(records)), "ns/record")
}

// TestDoneAllocatesNothingARecord guards what every record of both loops takes.
func TestDoneAllocatesNothingARecord(t *testing.T) {
	m, _ := newMeter(t)
	_, records := fetched(0, 1000, 1000)
	if got := testing.AllocsPerRun(10, func() { m.Done(t.Context(), records) }); got > 10 {
		t.Errorf("1000 records take %v allocations", got)
	}
}
