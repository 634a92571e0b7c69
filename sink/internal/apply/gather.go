// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Prepare implements fenced.Store: it puts the batch together and, where nothing
// of it is likely to be there, encodes it for that.
func (s *Store) Prepare(ctx context.Context, batches []fenced.Batch) any {
	b, err := s.gather(ctx, batches)
	if err != nil {
		return nil // Apply meets the error again, and says why
	}
	b.expectsNew()
	return b
}

// decoded are the records of one partition.
type decoded struct {
	items   []*item
	refused []refusal
}

func (s *Store) decode(ctx context.Context, records []*kgo.Record) (*decoded, error) {
	p := &decoded{items: make([]*item, 0, len(records))}
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
		case errors.Is(err, registry.ErrLost) && s.cfg.DeadLetterAll:
			p.refused = append(p.refused, refusal{r, undecodable(err)})
		case errors.Is(err, registry.ErrLost):
			return nil, &kafka.Hold{
				Partitions: []kafka.Partition{{Topic: r.Topic, Partition: r.Partition}}, For: s.retryAfter,
				Reason: fmt.Sprintf("cannot read %s: %s", record.PositionOf(r), err),
			}
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

// gather decodes the partitions of a transaction, side by side, puts them together
// and finds their rows.
func (s *Store) gather(ctx context.Context, batches []fenced.Batch) (*batch, error) {
	partitions := make([]*decoded, len(batches))
	var side errgroup.Group
	side.SetLimit(runtime.GOMAXPROCS(0))
	for i := range batches {
		side.Go(func() (err error) {
			partitions[i], err = s.decode(ctx, batches[i].Records)
			return err
		})
	}
	if err := side.Wait(); err != nil {
		return nil, err
	}
	b := &batch{store: s, poison: map[*item]error{}, applied: map[*item]bool{}, seen: map[identity.Fingerprint]bool{}}
	for i, p := range partitions {
		for _, it := range p.items {
			it.Attempt = batches[i].Attempt
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
