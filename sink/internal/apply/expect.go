// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/stage/failure"
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
	if b.store.expect.allNew.Load() < b.store.paths.blind || len(b.refused) > 0 {
		return false
	}
	b.plan = b.newPlan()
	return !slices.ContainsFunc(b.plan.writes, func(w write) bool { return !w.fresh || !b.store.paths.large(&w) })
}

// insertNew writes rows and ledger as if nothing of the batch were there. When
// Postgres refuses any of it, all is undone, the questions are asked after all,
// and it returns nil: nothing is written yet.
func (b *batch) insertNew(ctx context.Context, conn *pgx.Conn) (end *pgx.Batch, err error) {
	err = b.writeTogether(ctx, conn, b.plan.writes)
	if err == nil {
		end, err = b.finish(ctx, conn)
	}
	if err = sqlstate.Classify(err); failure.Of(err) != failure.Permanent {
		return end, err
	}
	b.store.expect.forget()
	clear(b.applied)
	if _, err := conn.Exec(ctx, backToSavepoint); err != nil {
		return nil, err
	}
	return nil, b.ask(ctx, conn)
}
