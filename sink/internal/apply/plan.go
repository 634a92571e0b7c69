// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"maps"
	"slices"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/copyin"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/table"
)

// plan is what one batch does to the database. It follows from the batch, from
// what the database has, and from the items found to be poison, so that after a
// failure it is simply made again.
type plan struct {
	// fresh events get a ledger row, repeats a delivery.
	fresh, repeats []*item
	writes         []write
	// ledger is what they come to, once their outcomes are settled.
	ledger *ledger.Rows
}

// write is items of one table, sorted by key, one a key.
type write struct {
	table *table.Table
	items []*item
	// fresh rows were not there when the transaction began. They are copied
	// as rows, once encoded.
	fresh bool
	rows  *copyin.Rows
}

// newPlan leaves out poison. Within a batch the first of an identity counts; of
// each field group of a row, only the newest event is written, and only if it
// is newer than the row.
func (b *batch) newPlan() *plan {
	p := &plan{}
	for _, r := range b.rows {
		clear(r.newest)
	}
	known := maps.Clone(b.seen)
	for _, it := range b.items {
		switch {
		case b.poison[it] != nil:
		case known[it.Fingerprint]:
			p.repeats = append(p.repeats, it)
		default:
			known[it.Fingerprint] = true
			p.fresh = append(p.fresh, it)
			it.compete()
		}
	}
	p.writes = writes(b.rows)
	return p
}

// compete makes the item the newest of the field groups of which it is.
func (it *item) compete() {
	v := it.Event.Meta.Version
	for i, g := range it.table.Entity.Groups {
		if !table.Owns(it.Event, g) {
			continue
		}
		newest := it.row.held[i]
		if w := it.row.newest[i]; w != nil {
			newest = w.Event.Meta.Version
		}
		if v.Compare(newest) > 0 {
			it.row.newest[i] = it
		}
	}
}

// writes are what the rows, which are sorted, come to: of each table first the
// new rows, then the others. A statement may touch a row once only: where the
// field groups of a row come from several events, those go in rounds.
func writes(rows []*row) []write {
	var out []write
	for len(rows) > 0 {
		t := rows[0].table
		n := slices.IndexFunc(rows, func(r *row) bool { return r.table != t })
		if n < 0 {
			n = len(rows)
		}
		out = append(out, rounds(t, rows[:n])...)
		rows = rows[n:]
	}
	return out
}

func rounds(t *table.Table, rows []*row) []write {
	fresh := write{table: t, fresh: true}
	var later []write
	for _, r := range rows {
		for round, it := range r.winners() {
			if round == 0 && !r.exists && t.Copies() {
				fresh.items = append(fresh.items, it)
				continue
			}
			for round >= len(later) {
				later = append(later, write{table: t})
			}
			later[round].items = append(later[round].items, it)
		}
	}
	return slices.DeleteFunc(append([]write{fresh}, later...), func(w write) bool { return len(w.items) == 0 })
}

// winners are the row's newest items, the newest first, each once.
func (r *row) winners() []*item {
	var out []*item
	for _, it := range r.newest {
		if it != nil && !slices.Contains(out, it) {
			out = append(out, it)
		}
	}
	if len(out) > 1 {
		slices.SortFunc(out, func(a, b *item) int { return b.Event.Meta.Version.Compare(a.Event.Meta.Version) })
	}
	return out
}

// settle makes the ledger's rows, given the items that changed a row of theirs.
func (p *plan) settle(applied map[*item]bool) (err error) {
	p.decide(applied)
	p.ledger, err = ledger.Encode(entries(p.fresh), entries(p.repeats))
	return err
}

// decide sets the outcome of every fresh item. An event that lost to one that was
// itself stale is stale too: the row was ahead of both.
func (p *plan) decide(applied map[*item]bool) {
	for _, it := range p.fresh {
		it.Outcome = ledger.Stale
		if applied[it] {
			it.Outcome = ledger.Applied
			continue
		}
		for i, g := range it.table.Entity.Groups {
			if w := it.row.newest[i]; w != nil && applied[w] && table.Owns(it.Event, g) {
				it.Outcome = ledger.Superseded
			}
		}
	}
}

func entries(items []*item) []*ledger.Entry {
	out := make([]*ledger.Entry, len(items))
	for i, it := range items {
		out[i] = &it.Entry
	}
	return out
}

func events(items []*item) []*event.Event {
	out := make([]*event.Event, len(items))
	for i, it := range items {
		out[i] = it.Event
	}
	return out
}
