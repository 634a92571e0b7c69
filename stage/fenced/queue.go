// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"slices"
	"time"

	"github.com/hookstream/hookstream/stage/kafka"
)

// transaction is what is applied together, and what was made of it ahead.
type transaction struct {
	batches  []Batch
	prepared any
	// failures of its only partition before this poll; zero for others.
	failures int
}

// setback is a transaction that failed.
type setback struct {
	batches []Batch
	// failures in a row, of its partition before this poll too where it is alone;
	// here is how many of them held the others up.
	failures, here int
	took           time.Duration
	cause          error
}

// queue holds what a poll brought until it is applied: of each partition one run
// of records, whose claim is the one after all that was taken before.
type queue []Batch

// take removes the next transaction's batches, of at most limit records
// together. Every partition gets an equal share, so that none waits for the
// backlog of another; what the short ones leave, the long ones get.
func (q *queue) take(limit int) []Batch {
	slices.SortStableFunc(*q, func(a, b Batch) int { return len(a.Records) - len(b.Records) })
	var taken []Batch
	for i := range *q {
		b := &(*q)[i]
		waiting := len(*q) - i
		n := min((limit+waiting-1)/waiting, len(b.Records))
		if n == 0 {
			continue
		}
		limit -= n
		taken = append(taken, Batch{Partition: b.Partition, Claim: b.Claim, Records: b.Records[:n:n], Attempt: 1})
		b.Claim.Next = b.Records[n-1].Offset + 1
		b.Records = b.Records[n:]
	}
	*q = slices.DeleteFunc(*q, func(b Batch) bool { return len(b.Records) == 0 })
	return taken
}

// putBack undoes take. What was taken last is put back first.
func (q *queue) putBack(batches []Batch) {
	for _, b := range batches {
		i := slices.IndexFunc(*q, func(rest Batch) bool { return rest.Partition == b.Partition })
		if i < 0 {
			*q = append(*q, b)
			continue
		}
		b.Records = slices.Concat(b.Records, (*q)[i].Records)
		(*q)[i] = b
	}
}

// drop removes what is left of the partitions of batches.
func (q *queue) drop(batches []Batch) {
	*q = slices.DeleteFunc(*q, func(rest Batch) bool {
		return slices.ContainsFunc(batches, func(b Batch) bool { return b.Partition == rest.Partition })
	})
}

// has reports whether anything of p is left.
func (q *queue) has(p kafka.Partition) bool {
	return slices.ContainsFunc(*q, func(b Batch) bool { return b.Partition == p })
}

func records(batches []Batch) (n int) {
	for i := range batches {
		n += len(batches[i].Records)
	}
	return n
}
