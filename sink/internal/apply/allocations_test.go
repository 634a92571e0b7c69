// SPDX-License-Identifier: Apache-2.0

package apply

import "testing"

// The most allocations of an event with a value in most columns: 41 to decode
// it, 13 to find its row and to make it part of what is sent; and what the race
// detector makes of them.
const (
	mostPerDecoded = 50
	mostPerEvent   = 68
)

// TestAllocations guards what a batch takes of the processor where wall time
// cannot.
func TestAllocations(t *testing.T) {
	const size = 500
	w := newWorld(t)
	feed := newFeed(t, w)
	feed.next(t, size)
	_, err := w.store.decode(t.Context(), feed.ahead[0].Records) // the first fetches the schema
	must(t, err)
	decode := testing.AllocsPerRun(10, func() {
		_, err := w.store.decode(t.Context(), feed.ahead[0].Records)
		must(t, err)
	})
	if each := decode / size; each > mostPerDecoded {
		t.Errorf("to decode an event takes %v allocations, at most %d are allowed", each, mostPerDecoded)
	}
	w.store.paths.blind = 0
	all := testing.AllocsPerRun(10, func() {
		if b, ok := w.store.Prepare(t.Context(), feed.ahead).(*batch); !ok || b.blind == nil || len(b.blind.writes[0].items) != size {
			t.Fatal("the batch was not encoded")
		}
	})
	if each := all / size; each > mostPerEvent {
		t.Errorf("to prepare an event takes %v allocations, at most %d are allowed", each, mostPerEvent)
	}
}
