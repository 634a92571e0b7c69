// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestHeldPartitionWaitsAndTheOthersGoOn: nothing of it is applied while it is
// held, and everything, in order, once it may go on.
func TestHeldPartitionWaitsAndTheOthersGoOn(t *testing.T) {
	b, db := newBroker(t, 3), newMemory()
	sick := kafka.Partition{Topic: b.in, Partition: 1}
	store := &faulty{memory: db}
	holds := 0
	store.batch = func(batches []fenced.Batch) error {
		for i := range batches {
			if batches[i].Partition == sick {
				store.set(func() { holds++ })
				return &kafka.Hold{Partitions: []kafka.Partition{sick}, For: 50 * time.Millisecond, Reason: "it is sick"}
			}
		}
		return nil
	}
	b.send(t, 0, 600)
	seen := &board{open: map[kafka.Partition]fenced.Attempt{}}
	status := &runtest.Status{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	loop := fenced.New(fenced.Config{
		Kafka: b.cfg, Group: b.group, Topics: []string{b.in}, ClientID: "applier", Attempts: seen.note, Status: status.Set,
		MaxRecords: 50, SessionTimeout: 15 * time.Second, DrainTimeout: 10 * time.Second, Log: runtest.Logger(),
	}, store)
	go func() { done <- loop.Run(ctx) }()
	t.Cleanup(cancel)

	sent := b.sentTo(t, sick)
	runtest.Eventually(t, "the other partitions and some tries", func() bool {
		tries := 0
		store.set(func() { tries = holds })
		return db.count() == 600-sent && tries > 3
	})
	if n := db.length(sick); n != 0 {
		t.Errorf("%d records of the held partition were applied", n)
	}
	if ready, reason := status.Get(); ready || !strings.Contains(reason, "1 partitions wait: "+sick.String()+": it is sick") {
		t.Errorf("status is %v, %q", ready, reason)
	}
	if open, most := seen.state(); open != 1 || most < 3 {
		t.Errorf("%d partitions are tried again, after %d failures at most; want the held one, after more than 3", open, most)
	}
	store.set(func() { store.batch = nil })
	db.await(t, 600)
	runtest.Eventually(t, "readiness", func() bool { ready, _ := status.Get(); open, _ := seen.state(); return ready && open == 0 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	db.wantOnce(t, 600)
}

// TestHeldPartitionThatMovesIsFetchedAgain: another instance goes on with it, and
// when it comes back, it is fetched.
func TestHeldPartitionThatMovesIsFetchedAgain(t *testing.T) {
	b, db := newBroker(t, 2), newMemory()
	store := &faulty{memory: db}
	store.batch = func(batches []fenced.Batch) error {
		h := &kafka.Hold{For: time.Hour, Reason: "all are sick"}
		for i := range batches {
			h.Partitions = append(h.Partitions, batches[i].Partition)
		}
		return h
	}
	b.send(t, 0, 200)
	first := b.start(t, store)
	runtest.Eventually(t, "a hold", func() bool { return store.tried() > 0 })
	second := b.start(t, db)
	moved := kafka.Partition{Topic: b.in}
	runtest.Eventually(t, "what moved", func() bool {
		if db.length(moved) == 0 {
			moved.Partition = 1 - moved.Partition
		}
		return db.length(moved) > 0
	})
	store.set(func() { store.batch = nil })
	second.Stop()
	b.send(t, 200, 400)
	runtest.Eventually(t, "what came back", func() bool { return db.length(moved) == b.sentTo(t, moved) })
	first.Stop()
	b.start(t, db)
	db.await(t, 400)
	db.wantOnce(t, 400)
}

// sentTo is how many records a partition has.
func (b *broker) sentTo(t *testing.T, p kafka.Partition) (n int) {
	t.Helper()
	err := b.cfg.ReadToEnd(t.Context(), "sent", runtest.Logger(), kafka.Partitions{p.Topic: {p.Partition}}, func(*kgo.Record) error {
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
