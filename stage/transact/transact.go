// SPDX-License-Identifier: Apache-2.0

// Package transact is the consume loop of exactly-once stages that read from
// Kafka and write to Kafka: records, state changelog and consumer offsets move
// in one transaction (KIP-98, KIP-447).
package transact

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
	"github.com/hookstream/hookstream/stage/tracing"
)

// Output is what one batch of input becomes.
type Output struct {
	// Records are produced in order, in the transaction that commits the
	// batch's offsets.
	Records []*kgo.Record
	// Committed is called once, if and when the transaction committed; state
	// that the batch changed must stay pending until then. The records then have
	// their offsets.
	Committed func()
	// Fence are the partitions that output without input is about: its
	// transaction commits only if they are still this instance's. The offsets of
	// input fence what comes of it.
	Fence []kafka.Partition
}

// Processor is what a stage does with its input. The loop calls it from one
// goroutine, so it needs no locks.
type Processor interface {
	// Restore rebuilds the state of partitions that were just assigned,
	// before their first record is processed, and replaces what it may have
	// known of them. No transaction is open. It is tried again while it
	// fails with a Transient error; ctx ends when the assignment changes.
	Restore(ctx context.Context, parts []kafka.Partition) error
	// Forget drops the state of partitions that were taken away.
	Forget(parts []kafka.Partition)
	// Process turns records, in order within each partition, into output. No
	// transaction is open yet. A Transient error is tried again in place, a
	// *kafka.Hold sets partitions aside for a while; any other stops the stage.
	// Where it is not the first try, failure.TriesOf(ctx) says so.
	// Records that fail for good are output too, as dead letters.
	Process(ctx context.Context, in []*kgo.Record) (Output, error)
}

// Worker is a Processor that also has work which no record brings.
type Worker interface {
	Processor
	// Due is when it wants to work next; the zero time is never. It is asked
	// before every poll.
	Due() time.Time
	// Work gives what is to be produced, in a transaction of its own, and in
	// Fence what it is about. A Transient error is tried again later, while
	// records are processed; ctx ends when the assignment changes.
	Work(ctx context.Context) (Output, error)
}

// Config of a Loop. Everything but Status is required.
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
	// SessionTimeout is how long a silent instance keeps its partitions.
	SessionTimeout time.Duration
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
	meter   *progress.Meter
	tracer  *tracing.Consumer
	tries   tries
}

// New makes a Loop. It does not connect yet.
func New(cfg Config, proc Processor) (*Loop, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/stage/transact")
	txns, err1 := meter.Int64Counter("hookstream.transactions", metric.WithDescription("Kafka transactions by outcome."))
	how, err2 := progress.New(cfg.Group)
	if cfg.Status == nil {
		cfg.Status = func(bool, string) {}
	}
	return &Loop{
		cfg: cfg, proc: proc, txns: txns, meter: how, tries: tries{},
		tracer: tracing.NewConsumer(cfg.Group, cfg.TransactionalID),
	}, errors.Join(err1, err2)
}

// Run works until ctx ends, finishes the transaction it is in, leaves the group
// and returns nil. It returns an error only when that is Fatal: after any other
// it starts over with a new session and a new producer epoch.
func (l *Loop) Run(ctx context.Context) error {
	defer func() { _ = l.meter.Close() }() // it only stops to report
	return kafka.Sessions(ctx, l.cfg.Log, l.cfg.Status, l.meter.Session(l.session))
}

func (l *Loop) count(ctx context.Context, committed bool, err error) {
	outcome := "aborted"
	switch {
	case err != nil:
		outcome = "failed"
	case committed:
		outcome = "committed"
	}
	l.txns.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}
