// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
)

// takeOver replaces the offsets that Kafka holds for newly assigned partitions
// by the database's, and fences whoever had them before. The client calls it
// before the first fetch; ctx ends when the assignment does.
func (l *Loop) takeOver(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var parts []kafka.Partition
	for topic, ps := range offsets {
		for p := range ps {
			parts = append(parts, kafka.Partition{Topic: topic, Partition: p})
		}
	}
	if len(parts) == 0 {
		return offsets, nil
	}
	var claims map[kafka.Partition]Claim
	err := failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) (err error) {
		claims, err = l.store.TakeOver(ctx, parts)
		crash.At(crash.OnTakeOver)
		return err
	}, func(failures int, delay time.Duration, err error) {
		l.meter.Failed(ctx, progress.Claim, err)
		l.cfg.Status(false, err.Error())
		l.cfg.Attempts(Attempt{Partitions: parts, Failures: failures, Next: time.Now().Add(delay), Err: err})
		l.cfg.Log.WarnContext(ctx, "cannot take partitions over yet", "partitions", len(parts), "attempt", failures, "error", err)
	})
	l.over(parts)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	for p, claim := range claims {
		l.claims[p] = claim
		offsets[p.Topic][p.Partition] = startAt(claim)
	}
	l.mu.Unlock()
	l.status()
	return offsets, nil
}

func startAt(c Claim) kgo.Offset {
	if c.Next == NeverRead {
		return kgo.NewOffset().AtStart()
	}
	return kgo.NewOffset().At(c.Next)
}

// revoked gives partitions back, after telling Kafka how far they are.
func (l *Loop) revoked(ctx context.Context, client *kgo.Client, m map[string][]int32) {
	ctx, cancel := context.WithTimeout(ctx, lastCommitTimeout)
	defer cancel()
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		l.cfg.Log.DebugContext(ctx, "Kafka was not told the last offsets; lag tools show the next owner's", "error", err)
	}
	l.lost(ctx, client, m)
}

// lastCommitTimeout is short, because nothing depends on that commit.
const lastCommitTimeout = 2 * time.Second

// lost forgets the claims of partitions that were taken away.
func (l *Loop) lost(_ context.Context, client *kgo.Client, m map[string][]int32) {
	var parts []kafka.Partition
	for topic, ps := range m {
		for _, p := range ps {
			parts = append(parts, kafka.Partition{Topic: topic, Partition: p})
		}
	}
	l.forget(parts)
	client.ResumeFetchPartitions(m) // should they come back
}

func (l *Loop) forget(parts []kafka.Partition) {
	l.over(parts)
	l.unhold(parts)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range parts {
		delete(l.claims, p)
		l.meter.Forget(p.Topic, p.Partition)
	}
}

// contexts are the two contexts of one batch. Work outlives ctx by the drain
// timeout, so that a batch in hand is finished at shutdown. Patience also ends
// when a rebalance waits for us: a batch that is being tried again is then given
// back, rather than costing the membership.
func (l *Loop) contexts(ctx context.Context) (work, patience context.Context, stop func()) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	patience, yield := context.WithCancel(ctx)
	detach := context.AfterFunc(ctx, func() {
		drain := time.AfterFunc(l.cfg.DrainTimeout, cancel)
		context.AfterFunc(work, func() { drain.Stop() })
	})
	l.mu.Lock()
	l.yield = yield
	l.mu.Unlock()
	return work, patience, func() {
		detach()
		yield()
		cancel()
	}
}

func (l *Loop) yieldNow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.yield != nil {
		l.yield()
	}
}

// reset forgets every claim at the end of a session.
func (l *Loop) reset() {
	l.mu.Lock()
	parts := slices.Collect(maps.Keys(l.claims))
	l.mu.Unlock()
	l.forget(parts)
}
