// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// maxAside bounds how long a partition is set aside that held up the others.
const maxAside = time.Minute

// holdsUp reports whether cause may be of one partition's records while all that
// share the transaction wait for it: a row that somebody locks or a trigger refuses.
func holdsUp(cause error) bool {
	return errors.Is(cause, ErrSlow) || errors.Is(cause, ErrPartial)
}

// isolate finds what holds a transaction up that failed more than once. Its
// partitions are applied alone from now on, each until it was applied. One that
// fails alone is set aside for a while, and the others go on.
func (l *Loop) isolate(ctx context.Context, client *kgo.Client, q *queue, s *setback) error {
	l.suspect(s)
	l.tried(ctx, s.batches, s.failures, 0, s.cause)
	if err := l.reconcile(ctx, client, q, s); err != nil {
		return err
	}
	if len(s.batches) > 1 || !q.has(s.batches[0].Partition) { // applied after all, or elsewhere, or given back
		return nil
	}
	l.setAside(ctx, client, q, &kafka.Hold{
		Partitions: partitionsOf(s.batches), For: l.asideFor(s), Reason: s.cause.Error(),
	})
	return nil
}

// asideFor is how long a partition that failed alone waits: a backoff, and so long
// that all those that wait take at most half of the loop's time with their attempts.
func (l *Loop) asideFor(s *setback) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := 1 // this one
	for p, h := range l.held {
		if h.hold != nil && p != s.batches[0].Partition {
			waiting++
		}
	}
	share := s.took * time.Duration(waiting)
	return min(max(failure.DefaultBackoff.Delay(s.failures), share), maxAside)
}

// suspect has the partitions of a failed transaction applied alone. One that was
// too slow alone gets half as many records the next time.
func (l *Loop) suspect(s *setback) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range s.batches {
		b := &s.batches[i]
		h := l.held[b.Partition]
		h.alone, h.failures = true, s.failures
		if len(s.batches) == 1 {
			h.failures-- // setAside counts it
			if errors.Is(s.cause, ErrSlow) {
				h.limit = max(1, len(b.Records)/2)
			}
		}
		l.held[b.Partition] = h
	}
}

// take removes the next transaction from q: what is suspected of nothing, then
// the others one partition at a time.
func (l *Loop) take(q *queue) transaction {
	l.mu.Lock()
	defer l.mu.Unlock()
	var apart queue
	for _, b := range *q {
		if l.held[b.Partition].alone {
			apart = append(apart, b)
		}
	}
	if len(apart) == 0 {
		return transaction{batches: q.take(l.limit)}
	}
	if len(apart) < len(*q) {
		q.drop(apart)
		batches := q.take(l.limit)
		*q = append(*q, apart...)
		return transaction{batches: batches}
	}
	one, h := apart[:1:1], l.held[apart[0].Partition]
	limit := l.limit
	if h.limit > 0 {
		limit = min(limit, h.limit)
	}
	batches := one.take(limit)
	*q = append(one, apart[1:]...)
	return transaction{batches: batches, failures: h.failures}
}
