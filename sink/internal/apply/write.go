// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/sink/internal/copyin"
	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

// The savepoint is set before the upserts and gone back to when one fails.
const (
	savepoint       = "savepoint upserts"
	backToSavepoint = "rollback to savepoint upserts"
)

func setSavepoint(send *pgx.Batch) { send.Queue(savepoint) }

// upsert writes what the plan says. Once Postgres has refused a row, rows go one
// by one, which tells which they are, and the plan is made again without them,
// until nothing is left: then the next older event of a row has its turn.
func (b *batch) upsert(ctx context.Context, conn *pgx.Conn) error {
	b.plan = b.newPlan()
	clear(b.applied)
	err := sqlstate.Classify(b.writeTogether(ctx, conn, b.plan.writes))
	if failure.Of(err) != failure.Permanent {
		return err
	}
	if _, err := conn.Exec(ctx, backToSavepoint); err != nil {
		return err
	}
	clear(b.applied)
	tried := map[*item]bool{}
	for len(b.plan.writes) > 0 {
		if err := b.writeEach(ctx, conn, b.plan.writes); err != nil {
			return err
		}
		for _, w := range b.plan.writes {
			for _, it := range w.items {
				tried[it] = true
			}
		}
		b.plan = b.newPlan()
		b.plan.writes = without(tried, b.plan.writes)
	}
	return nil
}

func without(tried map[*item]bool, writes []write) []write {
	for i := range writes {
		writes[i].items = slices.DeleteFunc(writes[i].items, func(it *item) bool { return tried[it] })
	}
	return slices.DeleteFunc(writes, func(w write) bool { return len(w.items) == 0 })
}

// paths are from how many rows on a write takes the path that is made for many,
// and after how many batches with nothing that was there the next is written
// blindly; see expectation.
type paths struct {
	copy, stage int
	blind       int32
}

// The temporary table is worth its making from a few hundred rows on: as fast as
// arrays with 200, and a quarter faster with 1,000; see BenchmarkPaths.
var defaultPaths = paths{copy: copyin.Worth, stage: 250, blind: 3}

func (p paths) large(w *write) bool {
	if w.fresh {
		return len(w.items) >= p.copy
	}
	return len(w.items) >= p.stage
}

// writeTogether sends writes in the way that is fastest for their size: small
// ones share a round trip, new rows are copied to the table, and others to a
// temporary table from which they are upserted. All keep to their order.
func (b *batch) writeTogether(ctx context.Context, conn *pgx.Conn, writes []write) error {
	send := &pgx.Batch{}
	for i := range writes {
		w := &writes[i]
		if !b.store.paths.large(w) {
			b.queue(send, w, w.table.Upsert(), w.table.Args(events(w.items))...)
			continue
		}
		if err := flush(ctx, conn, &send); err != nil {
			return err
		}
		if err := b.copy(ctx, conn, send, w); err != nil {
			return err
		}
	}
	return flush(ctx, conn, &send)
}

func flush(ctx context.Context, conn *pgx.Conn, send **pgx.Batch) error {
	if (*send).Len() == 0 {
		return nil
	}
	defer func() { *send = &pgx.Batch{} }()
	return conn.SendBatch(ctx, *send).Close()
}

func (b *batch) copy(ctx context.Context, conn *pgx.Conn, send *pgx.Batch, w *write) error {
	if !w.fresh {
		b.queue(send, w, w.table.UpsertStaged())
		return w.table.Stage(ctx, conn, events(w.items))
	}
	for _, it := range w.items {
		b.applied[it] = true
	}
	if err := w.encode(); err != nil {
		return err
	}
	if err := w.rows.Send(ctx, conn.PgConn()); err != nil {
		return fmt.Errorf("table %s: %w", w.table.Name(), err)
	}
	return nil
}

// encode makes rows of a write that is copied.
func (w *write) encode() (err error) {
	if w.rows == nil {
		w.rows, err = w.table.Rows(events(w.items))
	}
	return err
}

// queue adds an upsert of w to send, and reads which rows it changed.
func (b *batch) queue(send *pgx.Batch, w *write, sql string, args ...any) {
	send.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		if err := b.changed(w, rows); err != nil {
			return fmt.Errorf("upsert %d rows of %s: %w", len(w.items), w.table.Entity.Name, err)
		}
		return nil
	})
}

// changed reads which of w's rows changed. It has one item a key.
func (b *batch) changed(w *write, rows pgx.Rows) error {
	byKey := make(map[table.Key]*item, len(w.items))
	for _, it := range w.items {
		byKey[it.row.key] = it
	}
	var k table.Key
	_, err := pgx.ForEachRow(rows, []any{&k.Tenant, &k.Provider, &k.ID}, func() error {
		it, ok := byKey[k]
		if !ok {
			return errStrange
		}
		b.applied[it] = true
		return nil
	})
	return err
}

// writeEach upserts rows one by one, on the server. Those that are refused for
// good are poison.
func (b *batch) writeEach(ctx context.Context, conn *pgx.Conn, writes []write) error {
	for len(writes) > 0 {
		t := writes[0].table
		var items []*item
		for len(writes) > 0 && writes[0].table == t {
			items = append(items, writes[0].items...)
			writes = writes[1:]
		}
		outcome, err := upsertEach(ctx, conn, t, items)
		if err != nil {
			return fmt.Errorf("upsert %d rows of %s one by one: %w", len(items), t.Entity.Name, err)
		}
		for _, i := range outcome.Applied {
			b.applied[items[i]] = true
		}
		for i := range outcome.Refused {
			r := &outcome.Refused[i]
			err := sqlstate.Classify(r.Err())
			if failure.Of(err) != failure.Permanent {
				return err
			}
			b.poison[items[r.Ordinal]] = err
		}
	}
	return nil
}

func upsertEach(ctx context.Context, conn *pgx.Conn, t *table.Table, items []*item) (*table.Outcome, error) {
	if err := t.Stage(ctx, conn, events(items)); err != nil {
		return nil, err
	}
	var text string
	outcome := &table.Outcome{}
	send := &pgx.Batch{}
	send.Queue(t.UpsertEach())
	send.Queue(table.EachOutcome).QueryRow(func(row pgx.Row) error { return row.Scan(&text) })
	if err := conn.SendBatch(ctx, send).Close(); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), outcome); err != nil {
		return nil, fmt.Errorf("read the outcome: %w", err)
	}
	return outcome, nil
}
