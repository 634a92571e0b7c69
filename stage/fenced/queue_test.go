// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/stage/kafka"
)

// TestQueueKeepsOrderAndClaims: however a poll is cut, and whatever is put back,
// each partition's records are applied once, in order, each batch under the
// claim that the one before left.
func TestQueueKeepsOrderAndClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		left := map[kafka.Partition]int{}
		claims := map[kafka.Partition]int64{}
		for p := range int32(rapid.IntRange(1, 5).Draw(t, "partitions")) {
			part := kafka.Partition{Topic: "t", Partition: p}
			left[part], claims[part] = rapid.IntRange(1, 40).Draw(t, "records"), rapid.SampledFrom([]int64{NeverRead, 100}).Draw(t, "claim")
			b := Batch{Partition: part, Claim: Claim{Epoch: 3, Next: claims[part]}}
			for i := range left[part] {
				b.Records = append(b.Records, &kgo.Record{Offset: 100 + 2*int64(i)}) // with gaps, as transactions leave them
			}
			q = append(q, b)
		}
		for len(q) > 0 {
			limit := rapid.IntRange(1, 30).Draw(t, "limit")
			parts := len(q)
			current, next := q.take(limit), q.take(limit)
			checkShares(t, current, left, parts, limit)
			q.putBack(next)
			if rapid.Bool().Draw(t, "failed") {
				q.putBack(current)
				continue
			}
			for _, b := range current {
				if b.Claim != (Claim{Epoch: 3, Next: claims[b.Partition]}) {
					t.Fatalf("%s: claim %v, the database's is %d", b.Partition, b.Claim, claims[b.Partition])
				}
				for i, r := range b.Records {
					if want := max(claims[b.Partition], 99) + 2*int64(i) + 1; r.Offset != want && r.Offset != want-1 {
						t.Fatalf("%s: offset %d, want %d", b.Partition, r.Offset, want)
					}
				}
				claims[b.Partition] = b.Next()
				left[b.Partition] -= len(b.Records)
			}
		}
		for p, n := range left {
			if n != 0 {
				t.Errorf("%s: %d records were not applied", p, n)
			}
		}
	})
}

// checkShares: a transaction is full if there is enough, and each partition has
// its share of it or all that it wants.
func checkShares(t *rapid.T, taken []Batch, left map[kafka.Partition]int, parts, limit int) {
	total := 0
	for _, n := range left {
		total += n
	}
	if n := records(taken); n != min(limit, total) {
		t.Fatalf("%d records of %d were taken, with a limit of %d", n, total, limit)
	}
	for _, b := range taken {
		if n := len(b.Records); n < min(limit/parts, left[b.Partition]) {
			t.Fatalf("%s got %d of %d, less than its share of %d", b.Partition, n, limit, limit/parts)
		}
	}
}
