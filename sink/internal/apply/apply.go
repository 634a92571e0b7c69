// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
)

// applyTimeout bounds one attempt at a batch. It is below the group's rebalance
// timeout of a minute, so that a database that does not answer costs the batch
// and not the membership.
const applyTimeout = 50 * time.Second

// Apply implements fenced.Store. All of it is one transaction:
//
//  1. Compare and set the offsets. If the claim is lost, nothing happens.
//  2. Look up which events the ledger has: those are repeats.
//  3. Upsert the newest event of each row. An event that Postgres refuses is
//     poison, and the rest is planned again without it.
//  4. Write the ledger.
//  5. Produce the dead letters, and commit. If the commit is lost after the
//     dead letters were produced, they are produced again under the same id.
func (s *Store) Apply(ctx context.Context, batches []fenced.Batch) error {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	b := &batch{store: s, poison: map[*item]error{}}
	err := b.decode(ctx, batches)
	if err == nil {
		err = b.sabotage(ctx, batches)
	}
	if err == nil {
		err = b.apply(ctx, batches)
	}
	if err != nil {
		s.metrics.retried(ctx, err)
		return err
	}
	s.metrics.committed(ctx, b, started)
	return nil
}

// batch is one attempt at a batch.
type batch struct {
	store *Store
	// items could be decoded; refused could not, and neither could be
	// written what is poison. The refused and the poison become dead letters.
	items   []*item
	refused []refusal
	poison  map[*item]error
	plan    *plan
}

func (b *batch) decode(ctx context.Context, batches []fenced.Batch) error {
	for i := range batches {
		for _, r := range batches[i].Records {
			it, err := b.store.decoder.decode(ctx, r)
			switch {
			case err == nil:
				b.items = append(b.items, it)
			case failure.Of(err) == failure.Permanent:
				b.refused = append(b.refused, refusal{r, err})
			default:
				return fmt.Errorf("decode %s/%d/%d: %w", r.Topic, r.Partition, r.Offset, err)
			}
		}
	}
	return nil
}

func (b *batch) apply(ctx context.Context, batches []fenced.Batch) error {
	err := pgx.BeginTxFunc(ctx, b.store.cfg.Pool, b.store.begin, func(tx pgx.Tx) error {
		seen, err := b.claim(ctx, tx, batches)
		if err != nil {
			return err
		}
		applied, err := b.upsert(ctx, tx, seen)
		if err != nil {
			return err
		}
		b.plan.decide(applied)
		if err := ledger.Insert(ctx, tx, entries(b.plan.fresh), entries(b.plan.repeats)); err != nil {
			return err
		}
		crash.At(crash.BeforeDeadLetters)
		if err := b.bury(ctx); err != nil {
			return err
		}
		crash.At(crash.BeforeCommit)
		return nil
	})
	crash.At(crash.AfterCommit)
	err = b.store.classify(err)
	if failure.Of(err) == failure.Permanent {
		return unattributed(err)
	}
	return err
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

// claim moves the offsets, if they are where the batches say, and returns which
// events the ledger has already. It is one round trip, savepoint included.
func (b *batch) claim(ctx context.Context, tx pgx.Tx, batches []fenced.Batch) (map[identity.Fingerprint]bool, error) {
	n := len(batches)
	topics, partitions := make([]string, n), make([]int32, n)
	epochs, expected, next := make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range batches {
		f := &batches[i]
		topics[i], partitions[i] = f.Partition.Topic, f.Partition.Partition
		epochs[i], expected[i], next[i] = f.Claim.Epoch, f.Claim.Next, f.Next()
	}
	var moved int64
	seen := map[identity.Fingerprint]bool{}
	send := &pgx.Batch{}
	send.Queue(claimSQL, b.store.cfg.Group, topics, partitions, epochs, expected, next).Exec(func(tag pgconn.CommandTag) error {
		moved = tag.RowsAffected()
		return nil
	})
	ledger.Seen(send, entries(b.items), seen)
	send.Queue(savepoint)
	if err := tx.SendBatch(ctx, send).Close(); err != nil {
		return nil, fmt.Errorf("move the offsets of %d partitions: %w", n, err)
	}
	if moved != int64(n) {
		return nil, fmt.Errorf("%w: %d of %d partitions are ours", fenced.ErrClaim, moved, n)
	}
	return seen, nil
}

// The savepoint is set before the upserts and gone back to when one fails.
const (
	savepoint       = "savepoint upserts"
	backToSavepoint = "rollback to savepoint upserts"
)

// upsert writes what the plan says and returns the items that changed a row.
// While Postgres refuses rows, the plan is made again without them: then the
// next older event of the row has its turn.
//
// Nothing here stops a flood: if a whole batch is refused for one reason, all
// of it becomes dead letters.
func (b *batch) upsert(ctx context.Context, tx pgx.Tx, seen map[identity.Fingerprint]bool) (map[*item]bool, error) {
	for {
		b.plan = newPlan(b.items, seen, b.poison)
		applied, err := run(ctx, tx, b.plan.statements)
		if err = sqlstate.Classify(err); failure.Of(err) != failure.Permanent {
			return applied, err
		}
		if err := b.isolate(ctx, tx, err); err != nil {
			return nil, err
		}
	}
}

// run sends statements together and returns the items that changed a row.
func run(ctx context.Context, tx pgx.Tx, statements []statement) (map[*item]bool, error) {
	applied := map[*item]bool{}
	if len(statements) == 0 {
		return applied, nil
	}
	send := &pgx.Batch{}
	for i := range statements {
		st := &statements[i]
		send.Queue(st.table.Upsert(), st.table.Args(st.events())...).Query(func(rows pgx.Rows) error {
			err := st.changed(rows, applied)
			if err != nil {
				return fmt.Errorf("upsert %d rows of %s: %w", len(st.items), st.table.Entity.Name, err)
			}
			return nil
		})
	}
	return applied, tx.SendBatch(ctx, send).Close()
}

// changed reads which of the statement's rows changed. It has one item a key.
func (s *statement) changed(rows pgx.Rows, applied map[*item]bool) error {
	byKey := make(map[table.Key]*item, len(s.items))
	for _, it := range s.items {
		byKey[it.key] = it
	}
	var k table.Key
	_, err := pgx.ForEachRow(rows, []any{&k.Tenant, &k.Provider, &k.ID}, func() error {
		it, ok := byKey[k]
		if !ok {
			return errors.New("a row came back that was not sent: a trigger changes the table's key")
		}
		applied[it] = true
		return nil
	})
	return err
}

// isolate finds the items that Postgres refuses for good and notes them as
// poison, by halving the statements that fail. What succeeds stays until the
// end, so that rows that only conflict with each other are found too.
func (b *batch) isolate(ctx context.Context, tx pgx.Tx, cause error) error {
	known := len(b.poison)
	if _, err := tx.Exec(ctx, backToSavepoint); err != nil {
		return err
	}
	for _, st := range b.plan.statements {
		if err := b.probe(ctx, tx, st); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, backToSavepoint); err != nil {
		return err
	}
	if len(b.poison) == known {
		return failure.NewTransient(fmt.Errorf("a batch was refused, and none of its rows alone: %w", cause))
	}
	return nil
}

func (b *batch) probe(ctx context.Context, tx pgx.Tx, st statement) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := run(ctx, tx, []statement{st})
		return err
	})
	err = sqlstate.Classify(err)
	switch {
	case failure.Of(err) != failure.Permanent:
		return err
	case len(st.items) == 1:
		b.poison[st.items[0]] = err
		return nil
	}
	half := len(st.items) / 2
	if err := b.probe(ctx, tx, statement{st.table, st.items[:half]}); err != nil {
		return err
	}
	return b.probe(ctx, tx, statement{st.table, st.items[half:]})
}
