// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/reason"
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

// What was prepared for a batch of new rows only is of use where that is what it
// meets, and does no harm where it is not.
func TestPreparedBatchMeetsRowsThatAreThere(t *testing.T) {
	for name, ask := range map[string]bool{"and is copied blindly": false, "and is not expected to be new any more": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
			w.applyEvents(t, customers(50)...)
			w.store.paths.blind = 0
			poison := newEvent("customer", "c000060", "poison", 1_000_000, map[string]any{"balance": int64(-1)})
			batches := w.batches(t, w.records(t, append(customersFrom(25, 50), poison)...))
			prepared := w.store.Prepare(t.Context(), batches)
			if b, ok := prepared.(*batch); !ok || b.blind == nil {
				t.Fatal("the batch was not prepared to be copied blindly")
			}
			if ask {
				w.store.paths.blind = defaultPaths.blind
				w.store.expect.forget()
			}
			must(t, w.store.Apply(t.Context(), batches, prepared))
			if got := one[int](t, w, "select count(*) from webhooks.customer"); got != 75 {
				t.Errorf("%d rows, want 75", got)
			}
			if got := len(w.outcomes(t)); got != 75 {
				t.Errorf("%d events in the ledger, want 75", got)
			}
			if got := one[int](t, w, "select count(*) from hookstream.deliveries"); got != 25 {
				t.Errorf("%d deliveries, want 25", got)
			}
			wantLetters(t, w, map[string]reason.Code{"poison": reason.ConstraintViolation})
		})
	}
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
