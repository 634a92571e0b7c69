// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// board keeps the attempts that are not over.
type board struct {
	mu   sync.Mutex
	open map[kafka.Partition]fenced.Attempt
	all  []fenced.Attempt
}

func (b *board) note(a fenced.Attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range a.Partitions {
		if delete(b.open, p); a.Err != nil {
			b.open[p] = a
			b.all = append(b.all, a)
		}
	}
}

// state is how many partitions are tried again, and the most failures in a row.
func (b *board) state() (open, most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.open {
		most = max(most, a.Failures)
	}
	return len(b.open), most
}

func TestAttemptsAreToldUntilTheyAreOver(t *testing.T) {
	b, db := newBroker(t, 2), newMemory()
	store := &faulty{memory: db, before: func() error { return errAway }}
	store.takeOver = func() error {
		store.set(func() { store.takeOver = nil })
		return errAway
	}
	seen := &board{open: map[kafka.Partition]fenced.Attempt{}}
	loop := fenced.New(fenced.Config{
		Kafka: b.cfg, Group: b.group, Topics: []string{b.in}, ClientID: "applier", Attempts: seen.note,
		MaxRecords: 50, SessionTimeout: 15 * time.Second, DrainTimeout: 10 * time.Second, Log: runtest.Logger(),
	}, store)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	b.send(t, 0, 20)
	go func() { done <- loop.Run(ctx) }()
	runtest.Eventually(t, "three failures in a row", func() bool { _, most := seen.state(); return most >= 3 })
	store.set(func() { store.before = nil })
	db.await(t, 20)
	runtest.Eventually(t, "the end of the attempts", func() bool { open, _ := seen.state(); return open == 0 })

	// What is tried again at a shutdown is not tried again after it.
	store.set(func() { store.before = func() error { return errAway } })
	b.send(t, 20, 40)
	runtest.Eventually(t, "another failure", func() bool { open, _ := seen.state(); return open > 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if open, _ := seen.state(); open > 0 {
		t.Errorf("%d partitions are tried again by a loop that has ended", open)
	}
	first := seen.all[0]
	if first.Next.IsZero() || first.Failures != 1 || !errors.Is(first.Err, errAway) {
		t.Errorf("the take-over was told as %+v", first)
	}
	if a := seen.all[len(seen.all)-1]; a.Next.IsZero() {
		t.Errorf("the next attempt is not told: %+v", a)
	}
}
