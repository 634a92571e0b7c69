// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkApply applies batches of new rows, from Kafka record to commit.
func BenchmarkApply(b *testing.B) {
	for _, size := range []int{100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := newWorld(b)
			n := 0
			for b.Loop() {
				b.StopTimer()
				records := make([]*kgo.Record, size)
				for i := range records {
					n++
					id := fmt.Sprint("customer-", n)
					records[i] = w.record(b, newEvent("customer", id, "evt-"+id, int64(n), map[string]any{
						"name": id, "email": id + "@example.com", "balance": int64(n), "tags": []string{"a", "b"}, "extra": map[string]string{"k": id},
					}))
				}
				b.StartTimer()
				w.apply(b, records...)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
