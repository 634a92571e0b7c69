// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// transactions is how many transactions a poll may bring. While one is in the
// database, the next is prepared; only the first of a poll waits for that.
const transactions = 8

// growth is how slowly the size of transactions grows back after ErrSlow: a
// sixteenth each time, so that a database that is slow for long is not asked for
// too much at every other batch.
const growth = 16

// drain moves a poll into the database, one transaction after the other, trying
// again in place while a failure passes. Work bounds what is being done,
// patience the waits between: when a rebalance waits for us, or the service
// stops, what is left is given back.
//
// Only preparing runs ahead. Each transaction begins when the one before has
// committed, and the claims of a partition follow each other, so a transaction
// that failed leaves nothing behind it.
func (l *Loop) drain(work, patience context.Context, client *kgo.Client, q queue) error {
	failures := 0
	for current := (transaction{batches: q.take(l.limit)}); len(current.batches) > 0; {
		next := transaction{batches: q.take(l.limit)}
		err := l.attempt(work, &current, &next, failures+1)
		if err == nil {
			failures = 0
			l.applied(work, client, current.batches)
			l.limit = min(l.limit+1+l.cfg.MaxRecords/growth, l.cfg.MaxRecords)
			if patience.Err() == nil {
				current = next
				continue
			}
			l.giveBack(client, &q, next.batches)
			return nil
		}
		failures++
		q.putBack(next.batches)
		if err := l.recover(patience, client, &q, current.batches, failures, err); err != nil {
			return err
		}
		current = transaction{batches: q.take(l.limit)} // which may be cut in another way
	}
	return nil
}

// attempt is one attempt, counted from 1, at current, with its trace.
func (l *Loop) attempt(work context.Context, current, next *transaction, attempt int) error {
	l.transactions++
	for i := range current.batches {
		current.batches[i].Attempt = attempt
	}
	ctx, traced := l.tracer.Start(work, l.id+"-"+strconv.Itoa(l.transactions), attempt, runsOf(current.batches)...)
	err := l.applyWhilePreparing(ctx, current, next)
	traced.End(ctx, err)
	return err
}

func runsOf(batches []Batch) [][]*kgo.Record {
	runs := make([][]*kgo.Record, len(batches))
	for i := range batches {
		runs[i] = batches[i].Records
	}
	return runs
}

func (l *Loop) applyWhilePreparing(ctx context.Context, current, next *transaction) error {
	applied := make(chan error, 1)
	go func() { applied <- l.store.Apply(ctx, current.batches, current.prepared) }()
	if len(next.batches) > 0 {
		next.prepared = l.store.Prepare(ctx, next.batches)
	}
	return <-applied
}

// recover puts back into the queue what is to be tried again after a failure,
// when its time has come. It returns an error if that ends the session.
func (l *Loop) recover(patience context.Context, client *kgo.Client, q *queue, batches []Batch, failures int, cause error) error {
	if failure.Of(cause) == failure.Fatal {
		return cause
	}
	var hold *kafka.Hold
	if errors.As(cause, &hold) {
		q.putBack(batches)
		l.setAside(patience, client, q, hold)
		return nil
	}
	l.nextCheck = time.Now() // whatever happened may have happened to other partitions too
	if errors.Is(cause, ErrSlow) {
		l.limit = max(1, records(batches)/2)
	}
	// A claim that does not match says to look at once, the first time.
	if first := errors.Is(cause, ErrClaim) && failures == 1; !first && !l.pause(patience, batches, failures, cause) {
		l.giveBack(client, q, batches)
		return nil
	}
	// The outcome of a commit whose answer was lost is in the database, and so
	// is who owns the partitions now.
	return l.reconcile(patience, client, q, batches)
}

// giveBack leaves all that is queued, and batches, to be read again: by us, or by
// whoever gets the partitions.
func (l *Loop) giveBack(client *kgo.Client, q *queue, batches []Batch) {
	q.putBack(batches)
	l.rewind(client, *q)
	*q = nil
}
