// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
)

// prepared are the records of one partition's batch, decoded.
type prepared struct {
	items   []*item
	refused []refusal
}

// Prepare implements fenced.Store: it decodes the records, while the batch
// before is being applied. What fails here is decoded by Apply, which says why.
func (s *Store) Prepare(ctx context.Context, batch *fenced.Batch) {
	if p, err := s.decode(ctx, batch.Records); err == nil {
		batch.Prepared = p
	}
}

func (s *Store) decode(ctx context.Context, records []*kgo.Record) (*prepared, error) {
	p := &prepared{items: make([]*item, 0, len(records))}
	transaction := "" // of the record before: most share it
	for _, r := range records {
		it, err := s.decoder.decode(ctx, r)
		switch {
		case err == nil:
			if id, _ := header.List(r.Headers).Bytes(header.TransactionID); string(id) != transaction {
				transaction = string(id)
			}
			it.TransactionID = transaction
			p.items = append(p.items, it)
		case failure.Of(err) == failure.Permanent:
			p.refused = append(p.refused, refusal{r, err})
		default:
			return nil, fmt.Errorf("decode %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
		}
	}
	return p, nil
}

// row is one row of an entity table that events of the batch belong to.
type row struct {
	table *table.Table
	key   table.Key
	// event is one of them.
	event *event.Event
	// exists and held are what the database has: the version of each field
	// group.
	exists bool
	held   []event.Version
	// newest is the batch's newest event of each field group; see plan.
	newest []*item
}

// gather puts the batches of all partitions together, and finds their rows.
func (s *Store) gather(ctx context.Context, batches []fenced.Batch) (*batch, error) {
	b := &batch{store: s, poison: map[*item]error{}, applied: map[*item]bool{}, seen: map[identity.Fingerprint]bool{}}
	for _, from := range batches {
		p, ok := from.Prepared.(*prepared)
		if !ok {
			var err error
			if p, err = s.decode(ctx, from.Records); err != nil {
				return nil, err
			}
		}
		for _, it := range p.items {
			it.Attempt = from.Attempt
		}
		b.items = append(b.items, p.items...)
		b.refused = append(b.refused, p.refused...)
	}
	b.findRows()
	return b, nil
}

// findRows sorts the rows by table and key: the order in which all writers lock
// them.
func (b *batch) findRows() {
	type place struct {
		table *table.Table
		key   table.Key
	}
	known := make(map[place]*row, len(b.items))
	for _, it := range b.items {
		at := place{it.table, table.KeyOf(it.Event)}
		r := known[at]
		if r == nil {
			n := len(it.table.Entity.Groups)
			r = &row{table: at.table, key: at.key, event: it.Event, held: make([]event.Version, n), newest: make([]*item, n)}
			known[at] = r
			b.rows = append(b.rows, r)
		}
		it.row = r
	}
	slices.SortFunc(b.rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.table.Entity.Name, b.table.Entity.Name), compareKeys(a.key, b.key))
	})
}

func compareKeys(a, b table.Key) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.ID, b.ID))
}
