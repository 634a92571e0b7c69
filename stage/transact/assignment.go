// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"context"
	"sync"
)

// change is one assignment or revocation of partitions.
type change struct {
	assigned bool
	parts    []Partition
}

// changes hands what the client's rebalance callbacks say, on its goroutines,
// to the loop's goroutine, and wakes the loop from a poll or a restore.
type changes struct {
	mu      sync.Mutex
	pending []change
	wake    context.CancelFunc
}

func (c *changes) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = nil
}

func (c *changes) add(assigned bool, m map[string][]int32) {
	var parts []Partition
	for topic, ps := range m {
		for _, p := range ps {
			parts = append(parts, Partition{topic, p})
		}
	}
	if len(parts) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, change{assigned, parts})
	if c.wake != nil {
		c.wake()
	}
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
	parts map[Partition]bool // whether its state is restored
}

func newOwnership(proc Processor) *ownership {
	return &ownership{proc: proc, parts: map[Partition]bool{}}
}

// apply replays changes in their order. A partition that went and came back is
// fresh again: another member may have moved it on in between.
func (o *ownership) apply(changes []change) {
	for _, c := range changes {
		if c.assigned {
			for _, p := range c.parts {
				o.parts[p] = false
			}
			continue
		}
		o.proc.Forget(c.parts)
		for _, p := range c.parts {
			delete(o.parts, p)
		}
	}
}

func (o *ownership) fresh() []Partition {
	var fresh []Partition
	for p, restored := range o.parts {
		if !restored {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

func (o *ownership) restored(parts []Partition) {
	for _, p := range parts {
		o.parts[p] = true
	}
}

func (o *ownership) forgetAll() {
	var all []Partition
	for p := range o.parts {
		all = append(all, p)
	}
	o.proc.Forget(all)
}
