// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/table"
)

// plan is what one batch does to the database. It is a pure function of the
// batch, of what the ledger has, and of the items found to be poison, so that
// after a failure it is simply made again.
type plan struct {
	// fresh events get a ledger row, repeats a delivery.
	fresh, repeats []*item
	statements     []statement
	// winners of each fresh item's field groups; the item itself where it is
	// the newest.
	winners map[*item][]*item
}

// statement upserts items of one table, sorted by key, one a key.
type statement struct {
	table *table.Table
	items []*item
}

// slot is one field group of one row.
type slot struct {
	table *table.Table
	key   table.Key
	group string
}

// newPlan leaves out poison. Within a batch the first of an identity counts;
// of each field group of a row, only the newest event is written.
func newPlan(items []*item, seen map[identity.Fingerprint]bool, poison map[*item]error) *plan {
	p := &plan{winners: map[*item][]*item{}}
	known := maps.Clone(seen)
	newest := map[slot]*item{}
	for _, it := range items {
		if poison[it] != nil {
			continue
		}
		if known[it.Fingerprint] {
			p.repeats = append(p.repeats, it)
			continue
		}
		known[it.Fingerprint] = true
		p.fresh = append(p.fresh, it)
		for _, s := range it.slots() {
			if old := newest[s]; old == nil || it.Event.Meta.Version.Compare(old.Event.Meta.Version) > 0 {
				newest[s] = it
			}
		}
	}
	written := map[*item]bool{}
	for _, it := range p.fresh {
		for _, s := range it.slots() {
			w := newest[s]
			p.winners[it] = append(p.winners[it], w)
			written[w] = true
		}
	}
	p.statements = statements(slices.Collect(maps.Keys(written)))
	return p
}

func (it *item) slots() []slot {
	var slots []slot
	for _, g := range it.table.Entity.Groups {
		if table.Owns(it.Event, g) {
			slots = append(slots, slot{it.table, it.key, g})
		}
	}
	return slots
}

// statements orders the items to write by table and key, so that all writers
// lock rows in one order. A statement may touch a row once only: where the
// field groups of a row come from several events, those go in rounds.
func statements(items []*item) []statement {
	slices.SortFunc(items, func(a, b *item) int {
		return cmp.Or(
			cmp.Compare(a.table.Entity.Name, b.table.Entity.Name),
			compareKeys(a.key, b.key),
			b.Event.Meta.Version.Compare(a.Event.Meta.Version),
		)
	})
	var out []statement
	for len(items) > 0 {
		t := items[0].table
		n := slices.IndexFunc(items, func(it *item) bool { return it.table != t })
		if n < 0 {
			n = len(items)
		}
		out = append(out, rounds(t, items[:n])...)
		items = items[n:]
	}
	return out
}

func rounds(t *table.Table, items []*item) []statement {
	var out []statement
	round := 0
	for i, it := range items {
		round++
		if i == 0 || items[i-1].key != it.key {
			round = 0
		}
		if round == len(out) {
			out = append(out, statement{table: t})
		}
		out[round].items = append(out[round].items, it)
	}
	return out
}

func compareKeys(a, b table.Key) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.ID, b.ID))
}

// decide sets the outcome of every fresh item, given those that changed a row.
// An event that lost to one that was itself stale is stale too: the row was
// ahead of both.
func (p *plan) decide(applied map[*item]bool) {
	for _, it := range p.fresh {
		it.Outcome = ledger.Stale
		if applied[it] {
			it.Outcome = ledger.Applied
			continue
		}
		for _, w := range p.winners[it] {
			if w != it && applied[w] {
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

func (s *statement) events() []*event.Event {
	out := make([]*event.Event, len(s.items))
	for i, it := range s.items {
		out[i] = it.Event
	}
	return out
}
