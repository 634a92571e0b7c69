// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// applyTimeout bounds one attempt at a batch. It is below the group's rebalance
// timeout of a minute, so that a database that does not answer costs the batch
// and not the membership.
const applyTimeout = 50 * time.Second

// Apply implements fenced.Store. All of it is one transaction:
//
//  1. Compare and set the offsets: if the claim is lost, nothing happens. Look
//     up which events the ledger has, those are repeats, and which versions the
//     rows have, unless all is likely to be new. All of it is one round trip.
//  2. Write the newest event of each row that is newer than the row. Where
//     Postgres refuses one, it is poison, and the next older has its turn.
//  3. Produce the dead letters, unless there are so many that the breaker opens.
//     If the commit is lost after that, they are produced again under the same
//     id.
//  4. Write the ledger, and commit.
func (s *Store) Apply(ctx context.Context, batches []fenced.Batch, prepared any) (err error) {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	b, ok := prepared.(*batch)
	if !ok {
		b, err = s.gather(ctx, batches)
	}
	if err == nil {
		b.batches = batches
		err = b.sabotage(ctx, batches)
	}
	if err == nil {
		err = b.apply(ctx, batches)
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: %w", fenced.ErrSlow, err)
		}
		s.expect.forget()
		s.failing.failed(batches, time.Now())
		s.metrics.retried(ctx, err)
		return err
	}
	s.expect.learn(b)
	s.failing.done(batches)
	b.verdict.Commit()
	s.metrics.committed(ctx, b, started)
	return nil
}

// batch is one attempt at a batch.
type batch struct {
	store   *Store
	batches []fenced.Batch
	// items could be decoded; refused could not, and neither could be
	// written what is poison. The refused and the poison become dead letters.
	items   []*item
	refused []refusal
	poison  map[*item]error
	// rows that the items belong to, and the identities that the ledger has.
	rows []*row
	seen map[identity.Fingerprint]bool
	plan *plan
	// blind is the plan for a batch of which nothing is there, where that is
	// likely.
	blind *plan
	// verdict is the breaker's.
	verdict breaker.Verdict
	// applied items changed their row.
	applied map[*item]bool
}

// apply runs the transaction on a connection of its own.
func (b *batch) apply(ctx context.Context, batches []fenced.Batch) error {
	pooled, err := b.store.cfg.Pool.Acquire(ctx)
	if err != nil {
		return b.store.classify(fmt.Errorf("connect to postgres: %w", err))
	}
	defer pooled.Release() // which closes it unless the transaction has ended
	conn := pooled.Conn()
	err = b.transact(ctx, conn, batches)
	crash.At(crash.AfterCommit)
	if err == nil {
		return nil
	}
	rollback(ctx, conn)
	if hold := (*kafka.Hold)(nil); errors.As(err, &hold) {
		return err
	}
	err = b.store.classify(err)
	if failure.Of(err) == failure.Permanent {
		return unattributed(err)
	}
	return err
}

func (b *batch) transact(ctx context.Context, conn *pgx.Conn, batches []fenced.Batch) error {
	if b.expectsNew() {
		err := sqlstate.Classify(b.insertNew(ctx, conn, batches))
		if failure.Of(err) != failure.Permanent {
			return err
		}
		b.store.expect.forget()
		rollback(ctx, conn)
	}
	if err := b.begin(ctx, conn, batches, b.queueQuestions, setSavepoint); err != nil {
		return err
	}
	if err := b.upsert(ctx, conn); err != nil {
		return err
	}
	if err := b.plan.settle(b.applied); err != nil {
		return err
	}
	return b.finish(ctx, conn)
}

// rollback undoes what was not committed. Where that fails, the connection is not
// used again.
func rollback(ctx context.Context, conn *pgx.Conn) {
	if conn.PgConn().TxStatus() != 'I' {
		_, _ = conn.Exec(ctx, "rollback")
	}
}

// finish follows the rows: the dead letters, then the ledger and the commit.
func (b *batch) finish(ctx context.Context, conn *pgx.Conn) error {
	if err := b.judge(ctx); err != nil {
		return err
	}
	crash.At(crash.BeforeDeadLetters)
	if err := b.bury(ctx); err != nil {
		return err
	}
	crash.At(crash.BeforeCommit)
	if err := b.plan.ledger.Commit(ctx, conn); err != nil {
		return fmt.Errorf("write %d events and %d repeats to the ledger, and commit: %w", len(b.plan.fresh), len(b.plan.repeats), err)
	}
	return nil
}

// unattributed gives a class to an error that says "this row", outside the
// statements whose rows are known.
func unattributed(err error) error {
	if sqlstate.Code(err) == sqlstate.UniqueViolation {
		// Another instance applied one of our events, replayed, while we
		// did. The next attempt finds it in the ledger.
		return failure.NewTransient(err)
	}
	return failure.NewFatal("the sink's own tables refuse a batch: compare them with the migrations: %w", err)
}

const compareAndSet = `update hookstream.consumer_offsets o set next_offset = b.next, updated_at = now()
	from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[]) as b (topic, partition, epoch, expected, next)
	where o.consumer_group = $1 and o.topic = b.topic and o.partition = b.partition
		and o.epoch = b.epoch and o.next_offset = b.expected`

// begin opens the transaction and moves the offsets, if they are where the batches
// say. What else is queued goes in the same round trip.
func (b *batch) begin(ctx context.Context, conn *pgx.Conn, batches []fenced.Batch, also ...func(*pgx.Batch)) error {
	send := &pgx.Batch{}
	for _, sql := range b.store.begin {
		send.Queue(sql)
	}
	var moved int64
	send.Queue(claimSQL, claimArgs(b.store.cfg.Group, batches)...).Exec(func(tag pgconn.CommandTag) error {
		moved = tag.RowsAffected()
		return nil
	})
	for _, queue := range also {
		queue(send)
	}
	if err := conn.SendBatch(ctx, send).Close(); err != nil {
		return fmt.Errorf("move the offsets of %d partitions: %w", len(batches), err)
	}
	if moved != int64(len(batches)) {
		return fmt.Errorf("%w: %d of %d partitions are ours", fenced.ErrClaim, moved, len(batches))
	}
	return nil
}

func claimArgs(group string, batches []fenced.Batch) []any {
	n := len(batches)
	topics, partitions := make([]string, n), make([]int32, n)
	epochs, expected, next := make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range batches {
		f := &batches[i]
		topics[i], partitions[i] = f.Partition.Topic, f.Partition.Partition
		epochs[i], expected[i], next[i] = f.Claim.Epoch, f.Claim.Next, f.Next()
	}
	return []any{group, topics, partitions, epochs, expected, next}
}

// queueQuestions asks what the database has of the batch already.
func (b *batch) queueQuestions(send *pgx.Batch) {
	ledger.Seen(send, entries(b.items), b.seen)
	b.queueHeld(send)
}

// queueHeld asks for the versions of the rows, one query a table.
func (b *batch) queueHeld(send *pgx.Batch) {
	for rest := b.rows; len(rest) > 0; {
		t, rows := rest[0].table, rest
		for i, r := range rest {
			if r.table != t {
				rows = rest[:i]
				break
			}
		}
		rest = rest[len(rows):]
		events := make([]*event.Event, len(rows))
		for i, r := range rows {
			events[i] = r.event
		}
		send.Queue(t.Held(), t.HeldArgs(events)...).Query(func(answer pgx.Rows) error {
			err := t.ScanHeld(answer, func(i int, versions []event.Version) {
				rows[i].exists = true
				copy(rows[i].held, versions)
			})
			if err != nil {
				return fmt.Errorf("look up %d rows of %s: %w", len(rows), t.Entity.Name, err)
			}
			return nil
		})
	}
}

// errStrange is what only a trigger or a rule can cause.
var errStrange = errors.New("a row came back that was not sent: a trigger changes the table's key")
