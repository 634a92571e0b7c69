// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// startTelling starts a loop that says what it does.
func (b *broker) startTelling(t *testing.T, store fenced.Store) (r *runtest.Run, seen *board, status *runtest.Status) {
	t.Helper()
	seen, status = &board{open: map[kafka.Partition]fenced.Attempt{}}, &runtest.Status{}
	loop := fenced.New(fenced.Config{
		Kafka: b.cfg, Group: b.group, Topics: []string{b.in}, ClientID: "applier", Attempts: seen.note, Status: status.Set,
		MaxRecords: 50, SessionTimeout: 15 * time.Second, DrainTimeout: 10 * time.Second, Log: runtest.Logger(),
	}, store)
	return runtest.Start(t, loop.Run), seen, status
}

// TestPartitionThatHoldsOthersUpIsSetAside: whatever is in the way of one partition,
// the others go on; and it follows, in order, once nothing is in its way any more.
func TestPartitionThatHoldsOthersUpIsSetAside(t *testing.T) {
	for name, cause := range map[string]error{"partial": fenced.ErrPartial, "slow": fenced.ErrSlow} {
		t.Run(name, func(t *testing.T) {
			b, db := newBroker(t, 3), newMemory()
			sick := kafka.Partition{Topic: b.in, Partition: 1}
			store := &faulty{memory: db}
			most, alone := 0, 0
			store.batch = func(batches []fenced.Batch) error {
				i := slices.IndexFunc(batches, func(f fenced.Batch) bool { return f.Partition == sick })
				if i < 0 {
					return nil
				}
				store.set(func() {
					if most = max(most, batches[i].Attempt); len(batches) == 1 {
						alone++
					}
				})
				return fmt.Errorf("row of %d batches: %w", len(batches), cause)
			}
			b.send(t, 0, 600)
			r, seen, status := b.startTelling(t, store)
			sent := b.sentTo(t, sick)
			tries := 0
			runtest.Eventually(t, "the other partitions and a try of its own", func() bool {
				store.set(func() { tries = alone })
				return db.count() == 600-sent && tries > 0
			})
			b.send(t, 600, 700) // they go on while it waits
			sent = b.sentTo(t, sick)
			db.await(t, 700-sent)
			if n := db.length(sick); n != 0 {
				t.Errorf("%d records of it were applied", n)
			}
			runtest.Eventually(t, "a reason", func() bool {
				ready, reason := status.Get()
				return !ready && strings.Contains(reason, "1 partitions wait: "+sick.String()+": row of 1 batches: ")
			})
			if open, failures := seen.state(); open != 1 || failures < 3 {
				t.Errorf("%d partitions are tried again, after %d failures at most; want one, after the two of all and its own", open, failures)
			}
			store.set(func() { store.batch = nil })
			db.await(t, 700)
			runtest.Eventually(t, "readiness", func() bool { ready, _ := status.Get(); open, _ := seen.state(); return ready && open == 0 })
			r.Stop()
			db.wantOnce(t, 700)
			if most < 3 {
				t.Errorf("the attempts are counted up to %d, and there were three at least", most)
			}
		})
	}
}

// TestSlowPartitionIsHalvedByItself: that the others' transactions grow back does
// not keep it from getting smaller ones.
func TestSlowPartitionIsHalvedByItself(t *testing.T) {
	b, db := newBroker(t, 3), newMemory()
	sick := kafka.Partition{Topic: b.in, Partition: 1}
	store := &faulty{memory: db}
	store.batch = func(batches []fenced.Batch) error {
		for i := range batches {
			if n := len(batches[i].Records); batches[i].Partition == sick && n > 3 {
				return fmt.Errorf("%d records: %w", n, fenced.ErrSlow)
			}
		}
		return nil
	}
	b.send(t, 0, 60)
	r := b.start(t, store)
	db.await(t, 60)
	r.Stop()
	db.wantOnce(t, 60)
}
