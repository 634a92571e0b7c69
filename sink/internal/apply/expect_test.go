// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
)

// After batches of new rows only, the next is written without a look; when
// something is there after all, that changes nothing but the cost.
func TestABacklogOfNewRowsIsWrittenBlindly(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		if got, want := w.store.expect.allNew.Load() >= w.store.paths.blind, i == 3; got != want {
			t.Errorf("batch %d is written blindly: %t", i, got)
		}
		w.applyEvents(t, customersFrom(100*i, 100)...)
	}
	stale := newEvent("customer", "c000007", "stale", 1, map[string]any{"description": "old"})
	newer := newEvent("customer", "c000008", "newer", 1_000_000, map[string]any{"description": "new"})
	repeat := customersFrom(9, 1)[0]
	w.applyEvents(t, append(customersFrom(400, 100), stale, newer, repeat)...)
	if w.store.expect.allNew.Load() != 0 {
		t.Error("the next batch is still taken to be new")
	}
	outcomes := w.outcomes(t)
	if len(outcomes) != 502 || outcomes["stale"] != "stale" || outcomes["newer"] != "applied" || outcomes["e-c000450"] != "applied" {
		t.Errorf("%d events; stale is %q, newer is %q", len(outcomes), outcomes["stale"], outcomes["newer"])
	}
	if got := one[string](t, w, "select string_agg(coalesce(description, ''), ',' order by id) from webhooks.customer where id in ('c000007', 'c000008')"); got != description(customersFrom(7, 1)[0])+",new" {
		t.Errorf("rows are %q", got)
	}
	if got := one[int](t, w, "select count(*) from hookstream.deliveries"); got != 1 {
		t.Errorf("%d deliveries, want 1", got)
	}
}

func description(ev *event.Event) string {
	s, _ := ev.Field("description").(string)
	return s
}

// Only the ledger knows the event: its row was purged.
func TestARepeatWithoutARowIsFoundInTheLedger(t *testing.T) {
	w := newWorld(t)
	w.store.paths.blind = 0
	w.applyEvents(t, customers(50)...)
	w.exec(t, "delete from webhooks.customer")
	w.applyEvents(t, customersFrom(25, 50)...)
	if got := one[int](t, w, "select count(*) from webhooks.customer"); got != 25 {
		t.Errorf("%d rows, want those of the 25 new events", got)
	}
	if got := one[int](t, w, "select count(*) from hookstream.deliveries"); got != 25 {
		t.Errorf("%d deliveries, want 25", got)
	}
}
