// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/stage/fenced"
)

// expectation is what the next batch is likely to be, by those before. In a
// backlog of new entities, looking up what is there costs a tenth of all, and the
// answer is always nothing.
type expectation struct {
	// allNew counts the last batches in a row that had new rows and new events
	// only.
	allNew atomic.Int32
}

func (e *expectation) forget() { e.allNew.Store(0) }

func (e *expectation) learn(b *batch) {
	known := len(b.seen) > 0 || slices.ContainsFunc(b.rows, func(r *row) bool { return r.exists })
	if known || len(b.refused) > 0 || len(b.poison) > 0 {
		e.forget()
		return
	}
	e.allNew.Add(1)
}

// expectsNew reports whether to write the batch without a look at what is there.
// If something is, COPY says so.
func (b *batch) expectsNew() bool {
	if b.store.expect.allNew.Load() < b.store.paths.blind {
		return false
	}
	if b.blind == nil {
		b.blind = b.planNew()
	}
	return b.blind != nil
}

// planNew is the plan, encoded, if nothing of the batch is there. It is nil where
// not all of that can be copied.
func (b *batch) planNew() *plan {
	if len(b.refused) > 0 {
		return nil
	}
	p, changed := b.newPlan(), map[*item]bool{}
	for i := range p.writes {
		w := &p.writes[i]
		if !w.fresh || !b.store.paths.large(w) || w.encode() != nil {
			return nil
		}
		for _, it := range w.items {
			changed[it] = true
		}
	}
	if p.settle(changed) != nil {
		return nil
	}
	return p
}

// insertNew writes rows and ledger as if nothing of the batch were there. It
// needs no savepoint: where Postgres refuses any of it, all is rolled back.
func (b *batch) insertNew(ctx context.Context, conn *pgx.Conn, batches []fenced.Batch) error {
	if err := b.begin(ctx, conn, batches); err != nil {
		return err
	}
	b.plan = b.blind
	if err := b.writeTogether(ctx, conn, b.plan.writes); err != nil {
		return err
	}
	return b.finish(ctx, conn)
}
