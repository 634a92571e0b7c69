// SPDX-License-Identifier: Apache-2.0

//go:build chaos

package apply

import (
	"context"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/fenced"
)

// claimSQL is the claim, or one of two ways to get it wrong on purpose.
var claimSQL = func() string {
	const batches = `unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[]) as b (topic, partition, epoch, expected, next)`
	switch {
	case crash.Has(crash.NoEpochCheck):
		return `update hookstream.consumer_offsets o set next_offset = b.next, updated_at = now() from ` + batches +
			` where o.consumer_group = $1 and o.topic = b.topic and o.partition = b.partition`
	case crash.Has(crash.OffsetsBeforeWrite):
		return `select 1 from ` + batches + ` where $1::text is not null`
	}
	return compareAndSet
}()

// sabotage moves the offsets in a transaction of their own, before the rows.
func (b *batch) sabotage(ctx context.Context, batches []fenced.Batch) error {
	if !crash.Has(crash.OffsetsBeforeWrite) {
		return nil
	}
	for i := range batches {
		f := &batches[i]
		if _, err := b.store.cfg.Pool.Exec(ctx, compareAndSet, b.store.cfg.Group, []string{f.Partition.Topic}, []int32{f.Partition.Partition},
			[]int64{f.Claim.Epoch}, []int64{f.Claim.Next}, []int64{f.Next()}); err != nil {
			return err
		}
	}
	return nil
}
