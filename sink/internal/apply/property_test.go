// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/table"
)

// snapshot is what the property compares: a value and a version of each group.
type snapshot struct {
	name    string
	deleted bool
	eventID string
	main    int64
	charge  string
	second  int64
}

// fold is what the row must be: of each group, the newest event.
func fold(events []*event.Event) snapshot {
	var r snapshot
	var main, charge event.Version
	for _, ev := range events {
		v := ev.Meta.Version
		if table.Owns(ev, "payment") && v.Compare(main) > 0 {
			main, r.main, r.deleted, r.eventID = v, v.Offset, ev.Meta.Deleted, ev.Meta.EventID
			r.name, _ = ev.Field("status").(string)
		}
		if table.Owns(ev, "charge") && v.Compare(charge) > 0 {
			charge, r.second = v, v.Offset
			r.charge, _ = ev.Field("charge_status").(string)
		}
	}
	return r
}

// history is what happened to one entity, and its deliveries.
type history struct {
	events, deliveries []*event.Event
}

// TestAnyOrderGivesTheSameRow: whatever the order, the repeats and the batches
// in which the events of a key arrive, its row is the fold of their first
// deliveries by version. A case has 25 to 40 keys of one history each, whose
// deliveries share batches, so the 200 cases try between 5,000 and 8,000 histories.
func TestAnyOrderGivesTheSameRow(t *testing.T) {
	w := newWorld(t)
	run, histories := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		w.store.paths = rapid.SampledFrom(somePaths).Draw(rt, "paths")
		all := map[string]history{}
		var arrivals []*event.Event
		events := 0
		for k := range rapid.IntRange(25, 40).Draw(rt, "keys") {
			id := fmt.Sprintf("p%d-%d", run, k)
			all[id] = drawHistory(rt, id)
			arrivals = append(arrivals, all[id].deliveries...)
			events += len(all[id].events)
		}
		histories += len(all)
		arrivals = rapid.Permutation(arrivals).Draw(rt, "arrivals")
		w.applyInBatches(t, rt, arrivals)
		got, firsts := snapshots(rt, w, fmt.Sprintf("p%d-", run)), firstDeliveries(arrivals)
		for id := range all {
			if want := fold(firsts[id]); got[id] != want {
				rt.Errorf("row %s is %+v, want %+v", id, got[id], want)
			}
		}
		checkLedger(rt, w, fmt.Sprintf("p%d-", run), events, len(arrivals))
	})
	t.Logf("%d histories in %d cases", histories, run)
}

// somePaths lead a few rows the ways that are made for many: by COPY and through
// temporary tables, each batch written blindly first, or never; or by the defaults.
var somePaths = []paths{
	{copy: 1, stage: 5, blind: 0},
	{copy: 1, stage: 5, blind: math.MaxInt32},
	defaultPaths,
}

// applyInBatches applies arrivals in batches. As in the loop, a batch is prepared,
// if at all, before the one before it is applied.
func (w *world) applyInBatches(t *testing.T, rt *rapid.T, arrivals []*event.Event) {
	t.Helper()
	apply := func() {}
	for rest := arrivals; len(rest) > 0; {
		n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
		batches := w.batches(t, w.records(t, rest[:n]...))
		w.move(batches)
		rest = rest[n:]
		var prepared any
		if rapid.Bool().Draw(rt, "prepared") {
			prepared = w.store.Prepare(t.Context(), batches)
		}
		apply()
		apply = func() {
			t.Helper()
			must(t, w.store.Apply(t.Context(), batches, prepared))
		}
	}
	apply()
}

// firstDeliveries are the arrivals that count, by the entity's id.
func firstDeliveries(arrivals []*event.Event) map[string][]*event.Event {
	firsts, seen := map[string][]*event.Event{}, map[string]bool{}
	for _, ev := range arrivals {
		if !seen[ev.Meta.EventID] {
			seen[ev.Meta.EventID] = true
			firsts[ev.ID] = append(firsts[ev.ID], ev)
		}
	}
	return firsts
}

// snapshots are the rows whose id begins with prefix.
func snapshots(rt *rapid.T, w *world, prefix string) map[string]snapshot {
	rows, err := w.pool.Query(rt.Context(), `select id, coalesce(status, ''), deleted, coalesce(event_id, ''), version_offset,
		coalesce(charge_status, ''), charge_version_offset from webhooks.payment where starts_with(id, $1)`, prefix)
	if err != nil {
		rt.Fatal(err)
	}
	out := map[string]snapshot{}
	var id string
	var s snapshot
	_, err = pgx.ForEachRow(rows, []any{&id, &s.name, &s.deleted, &s.eventID, &s.main, &s.charge, &s.second}, func() error {
		out[id] = s
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	return out
}

// drawHistory draws the history of one payment.
func drawHistory(rt *rapid.T, id string) (h history) {
	for i := range rapid.IntRange(1, 8).Draw(rt, "events") {
		h.events = append(h.events, drawEvent(rt, id, i))
	}
	h.deliveries = slices.Clone(h.events)
	for i := range rapid.IntRange(0, 3).Draw(rt, "repeats") {
		h.deliveries = append(h.deliveries, drawRepeat(rt, h.events, int64(i+1)))
	}
	return h
}

// days are those of events: of the ledger's default partition, of one of its own,
// and none.
var days = []time.Time{start, time.Now().Truncate(24 * time.Hour), {}}

// drawEvent draws a snapshot: some of one field group, some deletions, many of the
// same second.
func drawEvent(rt *rapid.T, id string, i int) *event.Event {
	ev := newEvent("payment", id, fmt.Sprintf("%s-%d", id, i), 0, map[string]any{})
	ev.Meta.OccurredAt = rapid.SampledFrom(days).Draw(rt, "day")
	ev.Meta.Groups = rapid.SampledFrom([][]string{nil, {"payment"}, {"charge"}, {"charge", "payment"}}).Draw(rt, "groups")
	ev.Meta.Version.Order = rapid.Int64Range(1, 3).Draw(rt, "order")
	ev.Meta.Version.Generation = rapid.Int32Range(1, 2).Draw(rt, "generation")
	ev.Meta.Version.Offset = int64(i + 1)
	if table.Owns(ev, "payment") {
		ev.Meta.Deleted = rapid.Bool().Draw(rt, "deleted")
		ev.SetField("status", ev.Meta.EventID)
	}
	if table.Owns(ev, "charge") && rapid.Bool().Draw(rt, "has charge") {
		ev.SetField("charge_status", ev.Meta.EventID)
	}
	return ev
}

// drawRepeat draws an event again: the same record, or as the provider sends its
// webhook again, later and at a newer offset.
func drawRepeat(rt *rapid.T, events []*event.Event, n int64) *event.Event {
	ev := rapid.SampledFrom(events).Draw(rt, "repeat")
	if rapid.Bool().Draw(rt, "the same record") {
		return ev
	}
	again := *ev
	again.Meta.ReceivedAt = ev.Meta.ReceivedAt.Add(time.Hour)
	again.Meta.RawOffset += 1000 * n
	again.Meta.Version.Offset += 1000 * n
	return &again
}

// checkLedger checks that every event is there once, and every other arrival
// is a delivery.
func checkLedger(rt *rapid.T, w *world, prefix string, events, arrivals int) {
	var entries, deliveries int
	err := w.pool.QueryRow(rt.Context(), `select (select count(*) from hookstream.events where starts_with(entity_id, $1)),
		(select count(*) from hookstream.deliveries where starts_with(event_id, $1))`, prefix).Scan(&entries, &deliveries)
	if err != nil {
		rt.Fatal(err)
	}
	if entries != events || deliveries != arrivals-events {
		rt.Errorf("%d ledger rows and %d deliveries for %d events in %d arrivals", entries, deliveries, events, arrivals)
	}
}
