// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"testing"

	"github.com/hookstream/hookstream/schemas/identity"
)

// mostPerAddition is how often an added event may allocate: 0.015 times, for the
// maps and slices that grow, and what the race detector makes of them.
const mostPerAddition = 0.1

// TestAllocations guards the cost of deduplication where wall time cannot.
func TestAllocations(t *testing.T) {
	const batch, rounds = 5000, 4
	var ids []identity.Fingerprint
	for n := range uint64(batch * (rounds + 1)) {
		ids = append(ids, hashed(n))
	}
	s := owned(t, Config{})
	fresh := ids
	additions := testing.AllocsPerRun(rounds-1, func() { // and once to warm up
		tx := s.Begin()
		for _, id := range fresh[:batch] {
			if err := tx.Add(part, id, identity.Mark{1}); err != nil {
				t.Fatal(err)
			}
		}
		fresh = fresh[batch:]
		if len(tx.Records()) != 1 {
			t.Fatal("no changelog record")
		}
		tx.Commit(t.Context())
	})
	if each := additions / batch; each > mostPerAddition {
		t.Errorf("an event that is added takes %v allocations, at most %v are allowed", each, mostPerAddition)
	}
	tx, n := s.Begin(), 0
	lookup := testing.AllocsPerRun(len(ids)-1, func() {
		if _, known, err := tx.Lookup(part, ids[n]); known != (n < batch*rounds) || err != nil {
			t.Fatal(n, known, err)
		}
		n++
	})
	if lookup > 0 {
		t.Errorf("a lookup takes %v allocations, none are allowed", lookup)
	}
}
