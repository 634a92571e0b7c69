// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/hookstream/hookstream/stage/fenced"
)

// The most allocations of an event with a value in most columns: 41 to decode
// it, 13 to find its row and to make it part of the arrays that are sent; and
// what the race detector makes of them.
const (
	mostPerDecoded  = 50
	mostPerGathered = 18
)

// TestAllocations guards what a batch takes of the processor where wall time
// cannot.
func TestAllocations(t *testing.T) {
	const size = 500
	w := newWorld(t)
	feed := newFeed(t, w)
	feed.next(t, size)
	batch := feed.ahead[0]
	decode := testing.AllocsPerRun(10, func() { w.store.Prepare(t.Context(), &batch) }) // the first fetches the schema
	if each := decode / size; each > mostPerDecoded {
		t.Errorf("to decode an event takes %v allocations, at most %d are allowed", each, mostPerDecoded)
	}
	gather := testing.AllocsPerRun(10, func() {
		g, err := w.store.gather(t.Context(), []fenced.Batch{batch})
		must(t, err)
		g.plan = g.newPlan()
		for i := range g.plan.writes {
			write := &g.plan.writes[i]
			if len(write.items) != size {
				t.Fatalf("%d rows, want %d", len(write.items), size)
			}
			write.table.Args(events(write.items))
		}
	})
	if each := gather / size; each > mostPerGathered {
		t.Errorf("to gather an event takes %v allocations, at most %d are allowed", each, mostPerGathered)
	}
}
