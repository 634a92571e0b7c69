// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// memory is a database: claims and applied records, which move together.
type memory struct {
	mu      sync.Mutex
	claims  map[kafka.Partition]fenced.Claim
	applied map[kafka.Partition][]string
	history []int64 // sizes of the batches that were applied
}

func newMemory() *memory {
	return &memory{claims: map[kafka.Partition]fenced.Claim{}, applied: map[kafka.Partition][]string{}}
}

func (m *memory) TakeOver(_ context.Context, parts []kafka.Partition) (map[kafka.Partition]fenced.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[kafka.Partition]fenced.Claim{}
	for _, p := range parts {
		c, ok := m.claims[p]
		if !ok {
			c.Next = fenced.NeverRead
		}
		c.Epoch++
		m.claims[p], out[p] = c, c
	}
	return out, nil
}

func (m *memory) Claims(_ context.Context, parts []kafka.Partition) (map[kafka.Partition]fenced.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[kafka.Partition]fenced.Claim{}
	for _, p := range parts {
		if c, ok := m.claims[p]; ok {
			out[p] = c
		}
	}
	return out, nil
}

// Prepare notes how many records there were; Apply checks it.
func (m *memory) Prepare(_ context.Context, batches []fenced.Batch) any { return records(batches) }

func (m *memory) Reset(p kafka.Partition, next int64) string {
	return fmt.Sprintf("reset %s to %d", p, next)
}

func records(batches []fenced.Batch) (n int) {
	for i := range batches {
		n += len(batches[i].Records)
	}
	return n
}

func (m *memory) Apply(_ context.Context, batches []fenced.Batch, prepared any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range batches {
		if b := &batches[i]; m.claims[b.Partition] != b.Claim {
			return fmt.Errorf("%w: %s", fenced.ErrClaim, b.Partition)
		}
	}
	if n, ok := prepared.(int); ok && n != records(batches) {
		return failure.NewFatal("prepared for %d records, and there are %d", n, records(batches))
	}
	for i := range batches {
		b := &batches[i]
		m.claims[b.Partition] = fenced.Claim{Epoch: b.Claim.Epoch, Next: b.Next()}
		for _, r := range b.Records {
			m.applied[b.Partition] = append(m.applied[b.Partition], string(r.Value))
		}
		m.history = append(m.history, int64(len(b.Records)))
	}
	return nil
}

// restore takes the database back to when a partition had n records, as a
// crash with synchronous_commit=off or an older backup does.
func (m *memory) restore(p kafka.Partition, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applied[p] = m.applied[p][:n]
	m.claims[p] = fenced.Claim{Epoch: m.claims[p].Epoch, Next: int64(n)}
}

func (m *memory) length(p kafka.Partition) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.applied[p])
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, values := range m.applied {
		n += len(values)
	}
	return n
}

func (m *memory) epoch(p kafka.Partition) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.claims[p].Epoch
}

// wantOnce checks that the values 0..n-1 were applied once each, in order
// within a partition.
func (m *memory) wantOnce(t *testing.T, n int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[string]int{}
	for p, values := range m.applied {
		last := -1
		for _, v := range values {
			seen[v]++
			i, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			if i <= last {
				t.Errorf("%s: %d after %d", p, i, last)
			}
			last = i
		}
	}
	for i := range n {
		if got := seen[strconv.Itoa(i)]; got != 1 {
			t.Errorf("record %d was applied %d times", i, got)
		}
	}
	if len(seen) != n {
		t.Errorf("%d records were applied, want %d", len(seen), n)
	}
}

// faulty is a way to a database that can fail.
type faulty struct {
	*memory
	mu sync.Mutex
	// before and after Apply, and instead of TakeOver and Claims; nil does nothing.
	before, after, takeOver, look func() error
	// batch is called before Apply with what it gets.
	batch    func([]fenced.Batch) error
	attempts int
}

func (f *faulty) set(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *faulty) tried() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.attempts
}

func call(fn func() error) error {
	if fn == nil {
		return nil
	}
	return fn()
}

// fails calls the hook that is set now. It may set hooks.
func (f *faulty) fails(hook *func() error) error {
	f.mu.Lock()
	fn := *hook
	f.mu.Unlock()
	return call(fn)
}

func (f *faulty) TakeOver(ctx context.Context, parts []kafka.Partition) (map[kafka.Partition]fenced.Claim, error) {
	if err := f.fails(&f.takeOver); err != nil {
		return nil, err
	}
	return f.memory.TakeOver(ctx, parts)
}

func (f *faulty) Claims(ctx context.Context, parts []kafka.Partition) (map[kafka.Partition]fenced.Claim, error) {
	if err := f.fails(&f.look); err != nil {
		return nil, err
	}
	return f.memory.Claims(ctx, parts)
}

func (f *faulty) Apply(ctx context.Context, batches []fenced.Batch, prepared any) error {
	f.mu.Lock()
	f.attempts++
	before, batch, after := f.before, f.batch, f.after
	f.mu.Unlock()
	if err := call(before); err != nil {
		return err
	}
	if batch != nil {
		if err := batch(batches); err != nil {
			return err
		}
	}
	if err := f.memory.Apply(ctx, batches, prepared); err != nil {
		return err
	}
	return call(after)
}
