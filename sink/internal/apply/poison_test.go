// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
)

// wantLetters checks that the events with these ids are dead, once each.
func wantLetters(t *testing.T, w *world, want map[string]reason.Code) {
	t.Helper()
	got := map[string]reason.Code{}
	for _, d := range w.letters(t) {
		id, _ := d.Headers.Get("ce_id")
		if _, twice := got[id]; twice {
			t.Errorf("event %s was dead-lettered twice", id)
		}
		got[id] = d.Reason
	}
	if !maps.Equal(got, want) {
		t.Errorf("dead letters %v, want %v", got, want)
	}
}

func TestPoisonRowsAreIsolated(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	w.exec(t, "create unique index one_phone on webhooks.customer (phone)")
	var events []*event.Event
	dead := map[string]reason.Code{}
	want := map[string]string{}
	for i := range 200 {
		id := fmt.Sprintf("e%03d", i)
		ev := newEvent("customer", fmt.Sprintf("c%03d", i), id, int64(i), map[string]any{"balance": int64(i), "phone": id})
		switch i {
		case 7, 8, 150:
			ev.SetField("balance", int64(-1))
			dead[id] = reason.ConstraintViolation
		case 199:
			ev.SetField("phone", "e000") // conflicts only with another row of the batch
			dead[id] = reason.ConstraintViolation
		default:
			want[id] = "applied"
		}
		events = append(events, ev)
	}
	for i, text := range []string{`{"a": "\u0000"}`, `{`, `1e999999`} {
		id := fmt.Sprint("json", i)
		events = append(events, newEvent("generic", id, id, 1, map[string]any{"payload": text}))
		dead[id] = reason.InvalidValue
	}
	events = append(events, newEvent("generic", "g", "fine", 1, map[string]any{"payload": `{"a": 1e300}`}))
	want["fine"] = "applied"
	w.applyEvents(t, events...)
	wantOutcomes(t, w, want)
	wantLetters(t, w, dead)
	if got := one[int](t, w, "select count(*) from webhooks.customer"); got != 196 {
		t.Errorf("%d rows, want 196", got)
	}
}

func TestNextOlderIsTriedWhenTheNewestIsPoison(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	balance := func(id string, n, balance int64) *event.Event {
		return newEvent("customer", "c", id, n, map[string]any{"balance": balance})
	}
	w.applyEvents(t, balance("a", 1, 10), balance("b", 2, 20), balance("c", 3, -1), balance("d", 4, -1))
	wantOutcomes(t, w, map[string]string{"a": "superseded", "b": "applied"})
	wantLetters(t, w, map[string]reason.Code{"c": reason.ConstraintViolation, "d": reason.ConstraintViolation})
	if got := one[int64](t, w, "select balance from webhooks.customer"); got != 20 {
		t.Errorf("balance is %d, want that of the newest event that can be stored", got)
	}
}

// TestTransientErrorOfOneRow: where rows go one by one, what passes must not make a
// row poison. The whole batch is tried again.
func TestTransientErrorOfOneRow(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	w.exec(t, `create function public.busy() returns trigger language plpgsql as $$ begin
		if new.id = 'b' then raise exception using errcode = 'serialization_failure'; end if;
		return new;
	end $$`)
	w.exec(t, "create trigger busy before insert on webhooks.customer for each row execute function public.busy()")
	customer := func(id string, balance int64) *event.Event {
		return newEvent("customer", id, "e-"+id, 1, map[string]any{"balance": balance})
	}
	batches := w.batches(t, w.records(t, customer("a", -1), customer("b", 1), customer("c", 1)))
	err := w.store.Apply(t.Context(), batches, nil)
	if failure.Of(err) != failure.Transient || err == nil || !strings.Contains(err.Error(), "SQLSTATE 40001") {
		t.Fatalf("Apply() = %v, want a Transient error", err)
	}
	wantOutcomes(t, w, map[string]string{})
	wantLetters(t, w, map[string]reason.Code{})
	w.exec(t, "drop trigger busy on webhooks.customer")
	must(t, w.store.Apply(t.Context(), batches, nil))
	wantOutcomes(t, w, map[string]string{"e-b": "applied", "e-c": "applied"})
	wantLetters(t, w, map[string]reason.Code{"e-a": reason.ConstraintViolation})
}

// TestTriggerThatRefusesARow: it says with the code of its error whether that is for
// good.
func TestTriggerThatRefusesARow(t *testing.T) {
	w := newWorld(t)
	raise := func(using string) {
		w.exec(t, `create or replace function public.refuse() returns trigger language plpgsql as $$ begin
			if new.id = 'b' then raise exception 'not this one' `+using+`; end if;
			return new;
		end $$`)
	}
	raise("")
	w.exec(t, "create trigger refuse before insert on webhooks.customer for each row execute function public.refuse()")
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "good", 1, nil), newEvent("customer", "b", "bad", 1, nil)))
	if err := w.store.Apply(t.Context(), batches, nil); err == nil || failure.Of(err) != failure.Transient || !strings.Contains(err.Error(), "check_violation") {
		t.Fatalf("Apply() = %v, want a Transient error that says what to do", err)
	}
	raise("using errcode = 'check_violation'")
	must(t, w.store.Apply(t.Context(), batches, nil))
	wantOutcomes(t, w, map[string]string{"good": "applied"})
	wantLetters(t, w, map[string]reason.Code{"bad": reason.ConstraintViolation})
}

// TestTriggerThatChangesTheKey: what it does to one row is no reason for all to wait.
func TestTriggerThatChangesTheKey(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "create function public.rename() returns trigger language plpgsql as $$ begin new.id = 'other'; return new; end $$")
	w.exec(t, "create trigger rename before insert on webhooks.customer for each row execute function public.rename()")
	err := w.store.Apply(t.Context(), w.batches(t, w.records(t, newEvent("customer", "a", "e", 1, nil))), nil)
	if !errors.Is(err, fenced.ErrPartial) || failure.Of(err) != failure.Transient {
		t.Errorf("Apply() = %v, want a part that cannot be applied yet", err)
	}
}

func TestRepeatOfPoisonIsAppliedIfItCanBe(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	bad := newEvent("customer", "c", "e", 1, map[string]any{"balance": int64(-1)})
	corrected := newEvent("customer", "c", "e", 1, map[string]any{"balance": int64(1)})
	corrected.Meta.Version.Revision = 2
	w.applyEvents(t, bad, corrected)
	wantOutcomes(t, w, map[string]string{"e": "applied"})
	wantLetters(t, w, map[string]reason.Code{"e": reason.ConstraintViolation})
	if n := one[int](t, w, "select count(*) from hookstream.deliveries"); n != 0 {
		t.Errorf("%d deliveries: what was not applied has no repeats", n)
	}
}

func TestDeferredConstraintsNameTheRow(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "create table public.countries (code text primary key)")
	w.exec(t, "insert into public.countries values ('CH')")
	w.exec(t, "alter table webhooks.customer add foreign key (country) references public.countries deferrable initially deferred")
	w.applyEvents(t,
		newEvent("customer", "a", "good", 1, map[string]any{"country": "CH"}),
		newEvent("customer", "b", "bad", 1, map[string]any{"country": "XX"}))
	wantOutcomes(t, w, map[string]string{"good": "applied"})
	wantLetters(t, w, map[string]reason.Code{"bad": reason.ConstraintViolation})
}

// TestSomePoisonOfMany: a tenth of what comes may be bad.
func TestSomePoisonOfMany(t *testing.T) {
	for _, poison := range []int{1, 100} {
		t.Run(fmt.Sprint(poison), func(t *testing.T) {
			w := newWorld(t)
			w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
			dead := map[string]reason.Code{}
			events := customers(1000)
			for i := range poison {
				ev := events[i*1000/poison]
				ev.SetField("balance", int64(-1))
				dead[ev.Meta.EventID] = reason.ConstraintViolation
			}
			w.applyEvents(t, events...)
			wantLetters(t, w, dead)
			if got := one[int](t, w, "select count(*) from webhooks.customer"); got != 1000-poison {
				t.Errorf("%d rows, want %d", got, 1000-poison)
			}
			if got := one[int](t, w, "select count(*) from hookstream.events where outcome = 'applied'"); got != 1000-poison {
				t.Errorf("%d events applied, want %d", got, 1000-poison)
			}
		})
	}
}
