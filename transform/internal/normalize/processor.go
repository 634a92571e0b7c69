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
	"github.com/hookstream/hookstream/transform/internal/held"
)

// Config of a Processor. Everything but Status and Now is required.
type Config struct {
	Kafka    *kafka.Config
	ClientID string
	// Definitions gives the catalog in force; it is asked once a batch.
	Definitions func() Catalog
	Bounds      Bounds
	Encoder     *registry.Encoder
	DeadLetters *deadletter.Writer
	Sets        *dedup.Sets
	Held        *held.Store
	// DeadLetter are the kinds for which the breaker is off: PROVIDER or
	// PROVIDER/TYPE.
	DeadLetter []string
	// MaxRecords of what is released in one transaction.
	MaxRecords int
	// Status is told which kinds are stopped, or ""; nil means nobody asks.
	Status func(reason string)
	Log    *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Processor is the transform stage's part of the transactional loop.
type Processor struct {
	cfg      Config
	metrics  metrics
	breaker  *breaker.Breaker
	letGo    letGo
	releases releases
}

// New makes a Processor.
func New(cfg Config) (*Processor, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Status == nil {
		cfg.Status = func(string) {}
	}
	m, err := newMetrics()
	return &Processor{
		cfg: cfg, metrics: m, breaker: breaker.New(), letGo: newLetGo(cfg.DeadLetter),
		releases: releases{look: time.Now(), catalog: cfg.Definitions(), passes: map[kafka.Partition]*pass{}},
	}, err
}

// Restore rebuilds the deduplication sets of newly assigned partitions, and what is
// held of them. The breaker is open again for what had stopped, and all of it is tried
// once: other definitions may be in force here.
func (p *Processor) Restore(ctx context.Context, parts []kafka.Partition) error {
	if err := p.cfg.Sets.Restore(ctx, p.cfg.Kafka, p.cfg.ClientID+"-restore", p.cfg.Log, parts); err != nil {
		return err
	}
	if err := p.cfg.Held.Restore(ctx, parts); err != nil {
		return err
	}
	for k := range p.cfg.Held.Kinds() {
		if k.Causes > 0 && !p.letGo.has(k.Kind) {
			p.breaker.Open(k.Kind, k.Reason)
		}
	}
	for _, part := range parts {
		p.releases.passes[part] = &pass{generation: p.releases.generation, stay: map[uint64]bool{}}
	}
	p.report(ctx)
	return nil
}

// Forget drops the deduplication sets of partitions that were taken away, and what was
// held of them.
func (p *Processor) Forget(parts []kafka.Partition) {
	p.cfg.Sets.Forget(parts)
	p.cfg.Held.Forget(parts)
	for _, part := range parts {
		delete(p.releases.passes, part)
	}
	for k := range p.breaker.Opened() {
		if p.cfg.Held.Causes(k) == 0 {
			p.breaker.Close(k)
		}
	}
	p.report(context.Background())
}

// Process turns a batch into events and dead letters, in the order of the
// input, what it adds to the deduplication changelog, and the records that it holds
// because the breaker is open for their kind. The error is a *kafka.Hold where it can
// hold no more.
func (p *Processor) Process(ctx context.Context, in []*kgo.Record) (transact.Output, error) {
	b := p.begin()
	results := b.prepareAll(ctx, in)
	b.verdict = p.judge(in, results)
	if len(b.verdict.Open) > 0 || !p.cfg.Held.Empty() {
		b.held = p.cfg.Held.Begin()
	}
	tries, _ := failure.TriesOf(ctx)
	for i, r := range in {
		held, err := b.hold(r, &results[i])
		if !held && err == nil {
			err = b.settle(r, &results[i], tries)
		}
		if err != nil {
			return transact.Output{}, err
		}
	}
	return b.output(ctx), nil
}
