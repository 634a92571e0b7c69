// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
)

// work is what a session knows of the work that no record brings.
type work struct {
	// worker is nil where there is none.
	worker   Worker
	failures int
	// after is when work that failed may be tried again.
	after time.Time
}

// due is when there is work; the zero time is never.
func (w *work) due() time.Time {
	if w.worker == nil {
		return time.Time{}
	}
	due := w.worker.Due()
	if !due.IsZero() && due.Before(w.after) {
		return w.after
	}
	return due
}

// doWork does the work that is due and moves its output through a transaction.
// Nothing that was polled is under way then, so the offsets that fence it are
// those of the last transaction.
func (s *session) doWork(ctx context.Context) error {
	if due := s.work.due(); due.IsZero() || time.Now().Before(due) {
		return nil
	}
	ctx, cancel := drainContext(ctx, s.cfg.DrainTimeout)
	defer cancel()
	changed := s.changes.pollContext(ctx)
	out, err := s.work.worker.Work(changed)
	switch {
	case err == nil:
		s.work.failures, s.work.after = 0, time.Time{}
	case ended(changed) && failure.Of(err) == failure.Transient:
		return nil // the assignment changed, or the time to drain is over
	case failure.Of(err) == failure.Transient:
		s.delayWork(ctx, err)
		return nil
	default:
		s.meter.Failed(ctx, progress.Background, err)
		return failure.NewFatal("work without input: %w", err)
	}
	if len(out.Records) == 0 {
		if out.Committed != nil {
			out.Committed()
		}
		return nil
	}
	tx := s.begin(nil)
	ctx, tx.trace = s.tracer.Start(ctx, tx.id, 1)
	return s.commit(ctx, tx, out)
}

// delayWork lets records be processed before work that failed is tried again.
func (s *session) delayWork(ctx context.Context, err error) {
	s.work.failures++
	s.work.after = time.Now().Add(failure.DefaultBackoff.Delay(s.work.failures))
	s.meter.Failed(ctx, progress.Background, err)
	s.cfg.Log.WarnContext(ctx, "work without input failed; trying again", "attempt", s.work.failures, "error", err)
}

// fenced is the context with which a transaction ends that commits the offsets of
// partitions once more, unchanged. The group's coordinator takes them from the
// partitions' owner only (KIP-447): a transaction of one who was taken for dead
// aborts, however late it comes.
func (s *session) fenced(ctx context.Context, parts []kafka.Partition) context.Context {
	if len(parts) == 0 {
		return ctx
	}
	committed := s.client.Client().CommittedOffsets()
	return kgo.PreTxnCommitFnContext(ctx, func(req *kmsg.TxnOffsetCommitRequest) error {
		for _, p := range parts {
			at, ok := committed[p.Topic][p.Partition]
			if !ok {
				return fmt.Errorf("%s has no committed offset to fence the transaction with", p)
			}
			part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch = p.Partition, at.Offset, at.Epoch
			topic := kmsg.NewTxnOffsetCommitRequestTopic()
			topic.Topic, topic.Partitions = p.Topic, append(topic.Partitions, part)
			req.Topics = append(req.Topics, topic)
		}
		return nil
	})
}
