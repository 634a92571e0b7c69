// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// failing is since when the batches of partitions have failed in a row.
type failing map[kafka.Partition]time.Time

// failed notes a failed attempt.
func (f failing) failed(batches []fenced.Batch, now time.Time) {
	for i := range batches {
		b := &batches[i]
		if _, known := f[b.Partition]; !known || b.Attempt <= 1 {
			f[b.Partition] = now
		}
	}
}

// done forgets the partitions of batches, which were applied.
func (f failing) done(batches []fenced.Batch) {
	for i := range batches {
		delete(f, batches[i].Partition)
	}
}

// tries is how often a record of the batches was tried, for its dead letter.
func (b *batch) tries(r *kgo.Record) failure.Tries {
	p := kafka.Partition{Topic: r.Topic, Partition: r.Partition}
	for i := range b.batches {
		if of := &b.batches[i]; of.Partition == p && of.Attempt > 1 {
			return failure.Tries{Count: of.Attempt, Since: b.store.failing[p]}
		}
	}
	return failure.Once
}
