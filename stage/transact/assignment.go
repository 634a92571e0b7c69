// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/kafka"
)

// change is one assignment or revocation of partitions.
type change struct {
	assigned bool
	parts    []kafka.Partition
}

// changes hands what the client's rebalance callbacks say, on its goroutines,
// to the loop's goroutine, and wakes the loop from a poll or a restore.
type changes struct {
	mu      sync.Mutex
	client  *kgo.Client
	pending []change
	wake    context.CancelFunc
}

func (c *changes) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = nil
}

// assigned is the client's callback for new partitions. It comes before their
// offsets are fetched.
func (c *changes) assigned(_ context.Context, client *kgo.Client, m map[string][]int32) {
	crash.At(crash.OnAssigned)
	c.add(client, true, m)
}

// revoked is the client's callback for partitions that it gave up or lost.
func (c *changes) revoked(_ context.Context, client *kgo.Client, m map[string][]int32) {
	crash.At(crash.OnRevoked)
	c.add(client, false, m)
}

func (c *changes) add(client *kgo.Client, assigned bool, m map[string][]int32) {
	parts := partitions(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client = client
	if len(parts) == 0 {
		return
	}
	c.pending = append(c.pending, change{assigned, parts})
	if c.wake != nil {
		c.wake()
	}
}

func partitions(m map[string][]int32) []kafka.Partition {
	var parts []kafka.Partition
	for topic, ps := range m {
		for _, p := range ps {
			parts = append(parts, kafka.Partition{Topic: topic, Partition: p})
		}
	}
	return parts
}

// fromLogStart gives partitions that the group never committed the log's start
// as their offset. Without one, the client rewinds them to offset 0 when their
// first transaction aborts, and retention may have deleted that.
func (c *changes) fromLogStart(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var topics []string
	for topic, ps := range offsets {
		for _, o := range ps {
			if o.EpochOffset().Offset < 0 {
				topics = append(topics, topic)
				break
			}
		}
	}
	if len(topics) == 0 {
		return offsets, nil
	}
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	starts, err := kadm.NewClient(client).ListStartOffsets(ctx, topics...)
	if err := errors.Join(err, starts.Error()); err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	for topic, ps := range offsets {
		for p, o := range ps {
			if start, ok := starts.Lookup(topic, p); ok && o.EpochOffset().Offset < 0 {
				ps[p] = kgo.NewOffset().At(start.Offset)
			}
		}
	}
	return offsets, nil
}

func (c *changes) take() []change {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pending
	c.pending = nil
	return taken
}

// pollContext ends with ctx or at the next change. One is in use at a time.
func (c *changes) pollContext(ctx context.Context) context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wake != nil {
		c.wake()
	}
	ctx, c.wake = context.WithCancel(ctx)
	if len(c.pending) > 0 {
		c.wake()
	}
	return ctx
}

// ownership is what the loop's goroutine knows of the assignment.
type ownership struct {
	proc  Processor
	parts map[kafka.Partition]bool // whether its state is restored
}

func newOwnership(proc Processor) *ownership {
	return &ownership{proc: proc, parts: map[kafka.Partition]bool{}}
}

// apply replays changes in their order and reports whether partitions were
// revoked. A partition that went and came back is fresh again: another member
// may have moved it on in between.
func (o *ownership) apply(changes []change) (revoked bool) {
	for _, c := range changes {
		if c.assigned {
			for _, p := range c.parts {
				o.parts[p] = false
			}
			continue
		}
		revoked = true
		o.proc.Forget(c.parts)
		for _, p := range c.parts {
			delete(o.parts, p)
		}
	}
	return revoked
}

// restoredAll reports whether the state of every partition in fetches is
// there. It is not where ctx ended a restore, and where a partition was taken
// away after the poll.
func (o *ownership) restoredAll(fetches kgo.Fetches) bool {
	all := true
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		all = all && (len(p.Records) == 0 || o.parts[kafka.Partition{Topic: p.Topic, Partition: p.Partition}])
	})
	return all
}

func (o *ownership) fresh() []kafka.Partition {
	var fresh []kafka.Partition
	for p, restored := range o.parts {
		if !restored {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

func (o *ownership) restored(parts []kafka.Partition) {
	for _, p := range parts {
		o.parts[p] = true
	}
}

func (o *ownership) forgetAll() {
	var all []kafka.Partition
	for p := range o.parts {
		all = append(all, p)
	}
	o.proc.Forget(all)
}
