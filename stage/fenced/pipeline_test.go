// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// TestFaultsWhileTheNextIsPrepared: whatever fails, and whenever, each record is
// applied once and in order.
func TestFaultsWhileTheNextIsPrepared(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	b, db := newBroker(t, 3), newMemory()
	store := &faulty{memory: db}
	// The loop calls these one at a time.
	store.before = func() error {
		switch rnd.IntN(8) {
		case 0:
			return errAway
		case 1:
			return fmt.Errorf("canceled: %w", fenced.ErrSlow)
		case 2:
			return fmt.Errorf("locked: %w", fenced.ErrPartial)
		case 3: // as a crash that loses the last commits
			p := kafka.Partition{Topic: b.in, Partition: rnd.Int32N(3)}
			if n := db.length(p); n > 5 {
				db.restore(p, n-1-rnd.IntN(5))
			}
		}
		return nil
	}
	store.after = func() error {
		if rnd.IntN(8) == 0 {
			return errAway // the answer is lost
		}
		return nil
	}
	b.send(t, 0, 400)
	r := b.start(t, store)
	db.await(t, 400)
	store.set(func() { store.before, store.after = nil, nil })
	b.send(t, 400, 500)
	db.await(t, 500)
	r.Stop()
	db.wantOnce(t, 500)
}

func TestSlowBatchesAreHalvedAndGrowBack(t *testing.T) {
	b, db := newBroker(t, 1), newMemory()
	store := &faulty{memory: db}
	slow := true
	store.batch = func(batches []fenced.Batch) error {
		if n := len(batches[0].Records); slow && n > 10 {
			return fmt.Errorf("%d records: %w", n, fenced.ErrSlow)
		}
		slow = false
		return nil
	}
	b.send(t, 0, 800)
	r := b.start(t, store)
	db.await(t, 800)
	r.Stop()
	db.wantOnce(t, 800)
	if first, most := db.history[0], slices.Max(db.history); first > 10 || most != 50 {
		t.Errorf("batches of %v, want a first one of at most 10, and 50 in the end", db.history)
	}
}
