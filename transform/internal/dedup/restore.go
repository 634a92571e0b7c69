// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/kafka"
)

// progressEvery is how often a long restore says how far it is.
const progressEvery = 2 * time.Second

// stuckAfter is how long a restore may stand still before it looks like an open
// transaction that outlived its timeout. The broker lets none be longer than a
// minute, as this service begins them.
const stuckAfter = 2 * time.Minute

// Restore rebuilds the sets of partitions from the changelog, up to the high
// watermark at the time of the call: it must be called after the partitions
// were assigned. What was known of them is replaced. A corrupt changelog is
// Fatal, a full memory Transient.
func (s *Sets) Restore(ctx context.Context, cfg *kafka.Config, clientID string, log *slog.Logger, parts []kafka.Partition) error {
	started := time.Now()
	l := s.newLoader(parts)
	var entries atomic.Int64
	stop := report(ctx, log, started, len(parts), &entries)
	defer stop()
	err := cfg.ReadToEnd(ctx, clientID, log, kafka.Partitions{s.cfg.Topic: numbers(parts)}, func(r *kgo.Record) error {
		crash.At(crash.InRestore)
		defer func() { entries.Store(int64(l.entries)) }()
		return l.add(r)
	})
	if err != nil {
		return err
	}
	if err := l.use(ctx); err != nil {
		return err
	}
	took := time.Since(started)
	s.metrics.restored(ctx, l.entries, took)
	log.InfoContext(ctx, "restored the deduplication set", "partitions", len(parts), "entries", l.entries, "seconds", took.Seconds())
	return nil
}

// numbers lists the changelog partitions of raw partitions, each once. The two
// topics are co-partitioned.
func numbers(parts []kafka.Partition) []int32 {
	var n []int32
	for _, p := range parts {
		if !slices.Contains(n, p.Partition) {
			n = append(n, p.Partition)
		}
	}
	return n
}

// report logs the progress of a restore until it is stopped. A restore can take
// long, because of its size or because it waits out an open transaction.
func report(ctx context.Context, log *slog.Logger, started time.Time, parts int, entries *atomic.Int64) (stop func()) {
	done := make(chan struct{})
	go func() {
		before := int64(-1)
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				took := time.Since(started)
				log.InfoContext(ctx, "restoring the deduplication set",
					"partitions", parts, "entries", entries.Load(), "seconds", took.Seconds())
				if n := entries.Load(); took > stuckAfter && n == before {
					log.WarnContext(ctx, "the deduplication changelog ends in a transaction that nobody ends, and its partitions wait; "+
						"look for one with kafka-transactions.sh find-hanging", "partitions", parts, "seconds", took.Seconds())
				} else {
					before = n
				}
			}
		}
	}()
	return func() { close(done) }
}
