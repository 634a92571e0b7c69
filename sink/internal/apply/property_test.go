// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"testing"

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

// TestAnyOrderGivesTheSameRow: whatever the order, the repeats and the batches
// in which the events of a key arrive, its row is their fold by version. Rows go
// by COPY and through temporary tables from a few on, and each batch is written
// blindly first.
func TestAnyOrderGivesTheSameRow(t *testing.T) {
	w := newWorld(t)
	w.store.paths = paths{copy: 1, stage: 5, blind: 0}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		events := map[string][]*event.Event{}
		var arrivals []*event.Event
		for k := range rapid.SampledFrom([]int{1, 1, 3, 12}).Draw(rt, "keys") {
			id := fmt.Sprintf("p%d-%d", run, k)
			events[id] = drawEvents(rt, id)
			arrivals = append(arrivals, events[id]...)
		}
		sent := len(arrivals)
		for range rapid.IntRange(0, 4).Draw(rt, "repeats") {
			arrivals = append(arrivals, rapid.SampledFrom(arrivals[:sent]).Draw(rt, "repeat"))
		}
		arrivals = rapid.Permutation(arrivals).Draw(rt, "arrivals")
		for rest := arrivals; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "batch")
			w.applyEvents(t, rest[:n]...)
			rest = rest[n:]
		}
		got := snapshots(rt, w, fmt.Sprintf("p%d-", run))
		for id, evs := range events {
			if want := fold(evs); got[id] != want {
				rt.Errorf("row %s is %+v, want %+v", id, got[id], want)
			}
		}
		checkLedger(rt, w, fmt.Sprintf("p%d-", run), sent, len(arrivals))
	})
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

// drawEvents draws snapshots of one payment: some of one field group, some
// deletions, many of the same second.
func drawEvents(rt *rapid.T, id string) []*event.Event {
	n := rapid.IntRange(1, 8).Draw(rt, "events")
	var events []*event.Event
	for i := range n {
		ev := newEvent("payment", id, fmt.Sprintf("%s-%d", id, i), 0, map[string]any{})
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
		events = append(events, ev)
	}
	return events
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
