// SPDX-License-Identifier: Apache-2.0

// Package normalize turns raw records into canonical events: it maps them by
// their provider's definition, drops repeated deliveries, and dead-letters what
// fails for good.
package normalize

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/transact"
	"github.com/hookstream/hookstream/transform/internal/dedup"
)

// Config of a Processor. Everything but Now is required.
type Config struct {
	Kafka    *kafka.Config
	ClientID string
	// Definitions gives the catalog in force; it is asked once a batch.
	Definitions func() Catalog
	Bounds      Bounds
	Encoder     *registry.Encoder
	DeadLetters *deadletter.Writer
	Sets        *dedup.Sets
	Log         *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Processor is the transform stage's part of the transactional loop.
type Processor struct {
	cfg     Config
	metrics metrics
	breaker *breaker.Breaker
}

// New makes a Processor.
func New(cfg Config) (*Processor, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m, err := newMetrics()
	return &Processor{cfg: cfg, metrics: m, breaker: breaker.New()}, err
}

// Restore rebuilds the deduplication sets of newly assigned partitions.
func (p *Processor) Restore(ctx context.Context, parts []kafka.Partition) error {
	return p.cfg.Sets.Restore(ctx, p.cfg.Kafka, p.cfg.ClientID+"-restore", p.cfg.Log, parts)
}

// Forget drops the deduplication sets of partitions that were taken away.
func (p *Processor) Forget(parts []kafka.Partition) { p.cfg.Sets.Forget(parts) }

// Process turns a batch into events and dead letters, in the order of the
// input, and what it adds to the deduplication changelog. The error is a
// *kafka.Hold where the breaker opens.
func (p *Processor) Process(ctx context.Context, in []*kgo.Record) (transact.Output, error) {
	b := &batch{Processor: p, catalog: p.cfg.Definitions(), tx: p.cfg.Sets.Begin(), tally: tally{}}
	results := b.prepareAll(ctx, in)
	verdict := judge(p.breaker, in, results)
	p.metrics.open.Record(ctx, int64(len(verdict.Open)))
	if h := hold(verdict, in, results); h != nil {
		return transact.Output{}, h
	}
	tries, _ := failure.TriesOf(ctx)
	for i, r := range in {
		err := b.accept(r, &results[i])
		if err == nil {
			continue
		}
		if failure.Of(err) != failure.Permanent {
			return transact.Output{}, err
		}
		b.deadLetter(r, results[i].provider, err, tries)
	}
	return transact.Output{
		Records: append(b.out, b.tx.Records()...),
		Committed: func() {
			b.tx.Commit(ctx)
			verdict.Commit()
			p.metrics.add(ctx, b.tally)
			for _, f := range b.failed {
				deadletter.Log(ctx, p.cfg.Log, f.record, f.cause)
			}
		},
	}, nil
}
