// SPDX-License-Identifier: Apache-2.0

// Package transact is the consume loop of exactly-once stages that read from
// Kafka and write to Kafka: records, state changelog and consumer offsets move
// in one transaction (KIP-98, KIP-447).
package transact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Partition is one partition of a topic.
type Partition struct {
	Topic     string
	Partition int32
}

// Output is what one batch of input becomes.
type Output struct {
	// Records are produced in order, in the transaction that commits the
	// batch's offsets.
	Records []*kgo.Record
	// Committed is called once, if and when the transaction committed; state
	// that the batch changed must stay pending until then.
	Committed func()
}

// Processor is what a stage does with its input. The loop calls it from one
// goroutine, so it needs no locks.
type Processor interface {
	// Restore rebuilds the state of partitions that were just assigned,
	// before their first record is processed. No transaction is open. It is
	// tried again while it fails with a Transient error.
	Restore(ctx context.Context, parts []Partition) error
	// Forget drops the state of partitions that were taken away.
	Forget(parts []Partition)
	// Process turns records, in order within each partition, into output. No
	// transaction is open yet. A Transient error is tried again in place; any
	// other stops the stage. Records that fail for good are output too, as
	// dead letters.
	Process(ctx context.Context, in []*kgo.Record) (Output, error)
}

// Config of a Loop.
type Config struct {
	Kafka *kafka.Config
	// Group is the consumer group; Topics are what it reads.
	Group  string
	Topics []string
	// TransactionalID must be unique to this instance and stable over its
	// restarts, so that a restart fences what it left behind.
	TransactionalID string
	// MaxRecords of one transaction.
	MaxRecords int
	// Timeout aborts a transaction that its owner left open. Restores wait
	// out foreign open transactions, so it also bounds their wait.
	Timeout time.Duration
	// DrainTimeout bounds finishing the current transaction at shutdown.
	DrainTimeout time.Duration
	Log          *slog.Logger
	// Status is told what the loop is doing; nil means nobody asks.
	Status func(ready bool, reason string)
}

// Loop consumes, processes and produces in transactions until it is told to
// stop.
type Loop struct {
	cfg     Config
	proc    Processor
	changes changes
	txns    metric.Int64Counter
	size    metric.Int64Histogram
}

// New makes a Loop. It does not connect yet.
func New(cfg Config, proc Processor) (*Loop, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/stage/transact")
	txns, err1 := meter.Int64Counter("hookstream.transactions", metric.WithDescription("Kafka transactions by outcome."))
	size, err2 := meter.Int64Histogram("hookstream.transaction.records",
		metric.WithDescription("Input records of a transaction."),
		metric.WithExplicitBucketBoundaries(1, 10, 100, 500, 1000, 2500, 5000, 10000))
	if cfg.Status == nil {
		cfg.Status = func(bool, string) {}
	}
	return &Loop{cfg: cfg, proc: proc, txns: txns, size: size}, errors.Join(err1, err2)
}

// Run works until ctx ends, finishes the transaction it is in, leaves the group
// and returns nil. It returns an error only when that is Fatal: after any other
// it starts over with a new session and a new producer epoch.
func (l *Loop) Run(ctx context.Context) error {
	return kafka.Sessions(ctx, l.cfg.Log, l.cfg.Status, l.session)
}

// session runs one client from joining the group to its end.
func (l *Loop) session(ctx context.Context) error {
	opts, err := l.cfg.Kafka.Options(l.cfg.TransactionalID, l.cfg.Log)
	if err != nil {
		return err
	}
	l.changes.reset()
	opts = append(opts,
		kgo.ConsumerGroup(l.cfg.Group),
		kgo.ConsumeTopics(l.cfg.Topics...),
		kgo.TransactionalID(l.cfg.TransactionalID),
		kgo.TransactionTimeout(l.cfg.Timeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { l.changes.add(true, m) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { l.changes.add(false, m) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { l.changes.add(false, m) }),
	)
	session, err := kgo.NewGroupTransactSession(opts...)
	if err != nil {
		return failure.NewFatal("transactional client %s: %w", l.cfg.TransactionalID, err)
	}
	defer session.Close()
	owned := newOwnership(l.proc)
	defer owned.forgetAll()
	l.cfg.Status(true, "")
	for ctx.Err() == nil {
		if err := l.step(ctx, session, owned); err != nil {
			return err
		}
	}
	return nil
}

// step polls once and moves what it got through one transaction.
func (l *Loop) step(ctx context.Context, session *kgo.GroupTransactSession, owned *ownership) error {
	fetches := session.PollRecords(l.changes.pollContext(ctx), l.cfg.MaxRecords)
	if err := l.settle(ctx, owned); err != nil {
		return err
	}
	if err := fetchError(fetches); err != nil {
		return err
	}
	records := fetches.Records()
	if len(records) == 0 {
		return nil
	}
	// From here on the batch is finished even if ctx ends, within a bound.
	work, cancel := drainContext(ctx, l.cfg.DrainTimeout)
	defer cancel()
	out, err := l.process(work, records)
	if err != nil {
		return err
	}
	return l.commit(work, session, records, out)
}

// settle applies pending changes of the assignment: state of lost partitions is
// forgotten, state of new ones restored before their records are processed.
func (l *Loop) settle(ctx context.Context, owned *ownership) error {
	for {
		owned.apply(l.changes.take())
		fresh := owned.fresh()
		if len(fresh) == 0 || ctx.Err() != nil {
			return nil
		}
		l.cfg.Status(false, fmt.Sprintf("restoring %d partitions", len(fresh)))
		err := failure.Retry(l.changes.pollContext(ctx), failure.DefaultBackoff,
			func(ctx context.Context) error { return l.proc.Restore(ctx, fresh) },
			func(failures int, err error) {
				l.cfg.Log.WarnContext(ctx, "restore failed; trying again", "partitions", len(fresh), "attempt", failures, "error", err)
			})
		switch {
		case err == nil:
			owned.restored(fresh)
			l.cfg.Status(true, "")
		case failure.Of(err) == failure.Fatal:
			return err
		}
		// Otherwise the assignment changed or ctx ended: look again.
	}
}

func (l *Loop) process(ctx context.Context, records []*kgo.Record) (Output, error) {
	var out Output
	err := failure.Retry(ctx, failure.DefaultBackoff,
		func(ctx context.Context) (err error) {
			out, err = l.proc.Process(ctx, records)
			return err
		},
		func(failures int, err error) {
			l.cfg.Status(false, err.Error())
			l.cfg.Log.WarnContext(ctx, "batch failed; trying again", "records", len(records), "attempt", failures, "error", err)
		})
	return out, err
}

// commit produces the output and ends the transaction. A transaction that a
// rebalance aborted is no error: its records are read again by their new owner.
func (l *Loop) commit(ctx context.Context, session *kgo.GroupTransactSession, in []*kgo.Record, out Output) error {
	if err := session.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	var produced firstError
	for _, r := range out.Records {
		session.Produce(ctx, r, produced.promise)
	}
	if err := session.Client().Flush(ctx); err != nil {
		return fmt.Errorf("flush transaction: %w", err)
	}
	try := kgo.TransactionEndTry(produced.get() == nil)
	committed, err := session.End(ctx, try)
	l.count(ctx, len(in), committed, err)
	if err := errors.Join(produced.get(), err); err != nil {
		return kafka.Classify(fmt.Errorf("transaction %s of %d records: %w", l.cfg.TransactionalID, len(in), err))
	}
	if committed && out.Committed != nil {
		out.Committed()
	}
	l.cfg.Status(true, "")
	return nil
}

func (l *Loop) count(ctx context.Context, records int, committed bool, err error) {
	outcome := "aborted"
	switch {
	case err != nil:
		outcome = "failed"
	case committed:
		outcome = "committed"
		l.size.Record(ctx, int64(records))
	}
	l.txns.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// drainContext is not cancelled with ctx, but timeout after it.
func drainContext(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(timeout, cancel) })
	return work, func() { stop(); cancel() }
}
