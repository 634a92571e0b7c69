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
	"github.com/hookstream/hookstream/stage/progress"
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
	for current := l.take(&q); len(current.batches) > 0; {
		next := l.take(&q)
		failed := l.attempt(work, &current, &next, current.failures+failures)
		if failed == nil {
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
		failed.here = failures
		q.putBack(next.batches)
		apart, err := l.recover(patience, client, &q, failed)
		if err != nil {
			return err
		}
		if apart {
			failures = 0 // what is left has not failed yet, or counts for itself
		}
		current = l.take(&q) // which may be cut in another way
	}
	return nil
}

// attempt is the attempt at current that follows so many failures, with its trace.
// It returns nil if that was applied.
func (l *Loop) attempt(work context.Context, current, next *transaction, failures int) *setback {
	l.transactions++
	for i := range current.batches {
		current.batches[i].Attempt = failures + 1
	}
	started := time.Now()
	ctx, traced := l.tracer.Start(work, l.id+"-"+strconv.Itoa(l.transactions), failures+1, runsOf(current.batches)...)
	err := l.applyWhilePreparing(ctx, current, next)
	traced.End(ctx, err)
	if err == nil {
		return nil
	}
	l.meter.Failed(ctx, progress.Batch, err)
	return &setback{batches: current.batches, failures: failures + 1, took: time.Since(started), cause: err}
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
// when its time has come. Apart says that the transaction was taken apart. It
// returns an error if that ends the session.
func (l *Loop) recover(patience context.Context, client *kgo.Client, q *queue, s *setback) (apart bool, err error) {
	if failure.Of(s.cause) == failure.Fatal {
		return false, s.cause
	}
	var hold *kafka.Hold
	if errors.As(s.cause, &hold) {
		q.putBack(s.batches)
		l.setAside(patience, client, q, hold)
		return true, nil
	}
	l.nextCheck = time.Now() // whatever happened may have happened to other partitions too
	if errors.Is(s.cause, ErrSlow) {
		l.limit = max(1, records(s.batches)/2)
	}
	if s.failures > 1 && holdsUp(s.cause) {
		return true, l.isolate(patience, client, q, s)
	}
	// A claim that does not match says to look at once, the first time.
	if first := errors.Is(s.cause, ErrClaim) && s.failures == 1; !first && !l.pause(patience, s) {
		l.giveBack(client, q, s.batches)
		return false, nil
	}
	// The outcome of a commit whose answer was lost is in the database, and so
	// is who owns the partitions now.
	return false, l.reconcile(patience, client, q, s)
}

// giveBack leaves all that is queued, and batches, to be read again: by us, or by
// whoever gets the partitions.
func (l *Loop) giveBack(client *kgo.Client, q *queue, batches []Batch) {
	q.putBack(batches)
	l.rewind(client, *q)
	*q = nil
}
