// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
	"github.com/hookstream/hookstream/stage/tracing"
)

// goodbye bounds what is only polite at the end of a session: aborting what is
// open, leaving the group. Without it others wait for a timeout.
const goodbye = 5 * time.Second

// fetchBytes bounds a fetch from one broker, and half of it that of a partition. The
// client fetches again when all that it has of a broker was polled: about a
// transaction's worth comes in while the one before is worked on, where more would
// be waited for, and kept. A batch that is larger is still fetched, alone (KIP-74).
const fetchBytes = 2 << 20

// session is one client from joining the group to its end.
type session struct {
	*Loop
	client *kgo.GroupTransactSession
	owned  *ownership
	held   held
	// id is this session's, from which those of its transactions are made.
	id           string
	transactions int
	// reason is why the last partitions were held.
	reason string
	work   work
}

func (l *Loop) session(ctx context.Context) error {
	opts, err := l.options()
	if err != nil {
		return err
	}
	l.changes.reset()
	client, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return failure.NewFatal("transactional client %s: %w", l.cfg.TransactionalID, err)
	}
	s := &session{Loop: l, client: client, owned: newOwnership(l.proc), held: held{},
		id: l.cfg.TransactionalID + "/" + strconv.FormatInt(time.Now().UnixMilli(), 36)}
	s.work.worker, _ = l.proc.(Worker)
	defer s.close(ctx)
	// A new epoch aborts what an earlier run of this instance left open;
	// everyone, we too, would otherwise wait for its timeout.
	if _, _, err := client.Client().ProducerID(ctx); err != nil {
		return kafka.Classify(fmt.Errorf("take over transactional id %s: %w", l.cfg.TransactionalID, err))
	}
	l.cfg.Status(true, "")
	for !ended(ctx) {
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loop) options() ([]kgo.Opt, error) {
	opts, err := l.cfg.Kafka.Options(l.cfg.TransactionalID, l.cfg.Log)
	if err != nil {
		return nil, err
	}
	return append(opts,
		kgo.ConsumerGroup(l.cfg.Group),
		kgo.ConsumeTopics(l.cfg.Topics...),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes/2),
		kgo.TransactionalID(l.cfg.TransactionalID),
		kgo.TransactionTimeout(l.cfg.Timeout),
		kgo.SessionTimeout(l.cfg.SessionTimeout),
		kgo.HeartbeatInterval(l.cfg.SessionTimeout/5),
		// Offsets cannot be committed while the group joins, so a join must
		// end before the transaction that waits for it times out.
		kgo.RebalanceTimeout(l.cfg.Timeout/2),
		kgo.OnPartitionsAssigned(l.changes.assigned),
		kgo.OnPartitionsRevoked(l.changes.revoked),
		kgo.OnPartitionsLost(l.changes.revoked),
		kgo.AdjustFetchOffsetsFn(l.changes.fromLogStart),
	), nil
}

// close forgets all state and leaves the group.
func (s *session) close(ctx context.Context) {
	s.owned.forgetAll()
	s.meter.ForgetAll()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	_ = s.client.Client().LeaveGroupContext(ctx) // else the group notices by the session timeout
	s.client.Close()
}

// step does the work that is due, polls once, and moves what it got through one
// transaction.
func (s *session) step(ctx context.Context) error {
	s.release()
	if err := s.doWork(ctx); err != nil {
		return err
	}
	pollCtx, polled := s.pollContext(ctx)
	fetches := s.client.PollRecords(pollCtx, s.cfg.MaxRecords)
	polled()
	if err := fetchError(fetches); err != nil {
		return err
	}
	s.meter.Polled(fetches)
	revoked, err := s.settle(ctx)
	if err != nil {
		return err
	}
	// From here on the batch is finished even if ctx ends, within a bound.
	work, cancel := drainContext(ctx, s.cfg.DrainTimeout)
	defer cancel()
	if revoked || !s.owned.restoredAll(fetches) {
		return s.rewind(work)
	}
	records := fetches.Records()
	if len(records) == 0 {
		return nil
	}
	tx := s.begin(records)
	work, tx.trace = s.tracer.Start(work, tx.id, s.tries.next(records).Count, records)
	return s.transfer(work, tx)
}

// transaction is a batch on its way.
type transaction struct {
	// id is unique, and in the headers of what is produced.
	id string
	// in is empty where the output is not that of input.
	in    []*kgo.Record
	trace tracing.Batch
}

func (s *session) begin(in []*kgo.Record) *transaction {
	s.transactions++
	return &transaction{id: s.id + "-" + strconv.Itoa(s.transactions), in: in}
}

// transfer takes the records of a transaction from one side to the other, or
// rewinds them.
func (s *session) transfer(ctx context.Context, tx *transaction) error {
	out, err := s.process(ctx, tx)
	var hold *kafka.Hold
	switch {
	case errors.As(err, &hold):
		tx.trace.End(ctx, hold)
		s.meter.Failed(ctx, progress.Batch, hold)
		s.hold(ctx, hold)
		return s.rewind(ctx)
	case err == nil:
		return s.commit(ctx, tx, out)
	case failure.Of(err) == failure.Transient:
		// The assignment changed, or the time to drain is over.
		tx.trace.End(ctx, tracing.ErrGivenUp)
		return s.rewind(ctx)
	}
	tx.trace.End(ctx, err)
	s.meter.Failed(ctx, progress.Batch, err)
	return failure.NewFatal("batch of %d records: %w", len(tx.in), err)
}

// settle follows the assignment: state of lost partitions is forgotten, state
// of new ones restored. It reports whether partitions were revoked. When ctx
// ends, new partitions stay without state.
func (s *session) settle(ctx context.Context) (revoked bool, err error) {
	for {
		changes := s.changes.take()
		revoked = s.owned.apply(changes) || revoked
		s.forget(changes)
		fresh := s.owned.fresh()
		if len(fresh) == 0 || ended(ctx) {
			return revoked, nil
		}
		if err := s.restore(ctx, fresh); err != nil {
			return revoked, err
		}
	}
}

// forget ends the measurements of partitions that were revoked.
func (s *session) forget(changes []change) {
	for _, c := range changes {
		for _, p := range c.parts {
			if !c.assigned {
				s.meter.Forget(p.Topic, p.Partition)
			}
		}
	}
}

// restore restores partitions, unless the assignment changes meanwhile or ctx
// ends. Any error is Fatal.
func (s *session) restore(ctx context.Context, fresh []kafka.Partition) error {
	s.cfg.Status(false, fmt.Sprintf("restoring %d partitions", len(fresh)))
	s.meter.Waiting(progress.Restoring, len(fresh))
	defer s.meter.Waiting(progress.Restoring, 0)
	err := failure.Retry(s.changes.pollContext(ctx), failure.DefaultBackoff,
		func(ctx context.Context) error { return s.proc.Restore(ctx, fresh) },
		func(failures int, _ time.Duration, err error) {
			s.cfg.Status(false, err.Error())
			s.meter.Failed(ctx, progress.Restore, err)
			s.cfg.Log.WarnContext(ctx, "restore failed; trying again", "partitions", len(fresh), "attempt", failures, "error", err)
		})
	switch {
	case err == nil:
		s.owned.restored(fresh)
		s.status()
	case failure.Of(err) != failure.Transient:
		return failure.NewFatal("restore %d partitions: %w", len(fresh), err)
	}
	return nil
}

// process tries a batch until it succeeds, partitions must be held, or ctx ends.
// It does not wait longer when the assignment changed: the new partitions want
// their turn.
func (s *session) process(ctx context.Context, tx *transaction) (Output, error) {
	var out Output
	var hold *kafka.Hold
	err := failure.Retry(s.changes.pollContext(ctx), failure.DefaultBackoff,
		func(context.Context) (err error) {
			out, err = s.proc.Process(s.nextTry(ctx, tx), tx.in)
			if errors.As(err, &hold) {
				return nil
			}
			return err
		},
		func(failures int, _ time.Duration, err error) {
			s.cfg.Status(false, err.Error())
			s.tries.failed(tx.in, time.Now())
			s.meter.Waiting(progress.Retrying, partitionsIn(tx.in))
			s.meter.Failed(ctx, progress.Batch, err)
			tx.trace.Retried(err, failures)
			s.cfg.Log.WarnContext(ctx, "batch failed; trying again", "records", len(tx.in), "attempt", failures, "error", err)
		})
	s.meter.Waiting(progress.Retrying, 0)
	if hold != nil {
		return out, hold
	}
	return out, err
}

// nextTry is ctx with the how-manyth try at the transaction's records is next.
func (s *session) nextTry(ctx context.Context, tx *transaction) context.Context {
	if next := s.tries.next(tx.in); next.Count > 1 {
		return failure.WithTries(ctx, next)
	}
	return ctx
}

func partitionsIn(records []*kgo.Record) int {
	parts := map[kafka.Partition]bool{}
	for _, r := range records {
		parts[kafka.Partition{Topic: r.Topic, Partition: r.Partition}] = true
	}
	return len(parts)
}

// rewind gives up what was polled since the last transaction ended, to be read
// again. After a revocation that is due at once: the client aborts the next
// transaction anyway, and tells of no further revocation until one ended.
func (s *session) rewind(ctx context.Context) error {
	if _, err := s.client.End(ctx, kgo.TryAbort); err != nil {
		return kafka.Classify(fmt.Errorf("rewind after a rebalance: %w", err))
	}
	return nil
}

// commit produces the output and ends the transaction. A transaction that a
// rebalance aborted is no error: its records are read again by their new owner.
func (s *session) commit(ctx context.Context, tx *transaction, out Output) error {
	begun := time.Now()
	committed, err := s.produce(ctx, tx, &out)
	s.count(ctx, committed, err)
	switch {
	case err != nil:
		tx.trace.End(ctx, err)
		s.meter.Failed(ctx, progress.Batch, err)
		s.tries.failed(tx.in, time.Now())
		return s.classify(fmt.Errorf("transaction %s of %d records: %w", tx.id, len(tx.in), err), begun)
	case committed:
		tx.trace.End(ctx, nil)
		s.tries.done(tx.in)
		if len(tx.in) > 0 {
			s.meter.Done(ctx, tx.in)
		}
		if out.Committed != nil {
			out.Committed()
		}
	default:
		tx.trace.End(ctx, tracing.ErrGivenUp)
	}
	s.status()
	return nil
}

// produce is the transaction itself, from its begin to its end.
func (s *session) produce(ctx context.Context, tx *transaction, out *Output) (committed bool, err error) {
	if err := s.client.Begin(); err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	if crash.Has(crash.StateBeforeCommit) {
		out.Committed()
		out.Committed = nil
	}
	crash.At(crash.BeforeProduce)
	var produced firstError
	id, outside := []byte(tx.id), tracing.Outside(ctx)
	for _, r := range out.Records {
		(*header.List)(&r.Headers).Put(header.TransactionID, id)
		s.client.Produce(outside, r, produced.promise)
	}
	if err := s.client.Client().Flush(ctx); err != nil {
		s.abandon(ctx)
		return false, fmt.Errorf("flush: %w", err)
	}
	crash.At(crash.AfterProduce)
	crash.At(crash.BeforeEnd)
	committed, err = s.client.End(s.fenced(ctx, out.Fence), kgo.TransactionEndTry(produced.get() == nil))
	crash.At(crash.AfterEnd)
	return committed, errors.Join(produced.get(), err)
}

// abandon aborts the open transaction when there is no time left to finish it,
// so that nobody has to wait for its timeout.
func (s *session) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
	defer cancel()
	_, _ = s.client.End(ctx, kgo.TryAbort) // it is said why there is no time left
}

// drainContext is not cancelled with ctx, but timeout after it.
func drainContext(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		select {
		case <-work.Done():
		case <-timer.C:
			cancel()
		}
	})
	return work, func() { stop(); cancel() }
}

func ended(ctx context.Context) bool { return ctx.Err() != nil }
