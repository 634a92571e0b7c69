// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
	"github.com/hookstream/hookstream/schemas/record"
)

// transformScale is how transform's throughput depends on what one can choose,
// and on what one cannot.
var transformScale = Benchmark{
	Name:     "scale",
	Title:    "transform by records a transaction, by cores, and by what it remembers",
	Baseline: "copy", Subject: "transform",
	pass: passTransformScale, charts: scaleCharts,
}

func passTransformScale(ctx context.Context, r *Run) (err error) {
	b := newTransformBench(r)
	b.records /= 2 // it is drained more often than any other backlog
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	if err := b.byBatch(ctx); err != nil {
		return err
	}
	if err := b.byCores(ctx); err != nil {
		return err
	}
	return b.byRemembered(ctx)
}

func scaleCharts(r *Run) []plot.Chart {
	return []plot.Chart{{
		Name: "transform-throughput", Title: "Records mapped by records a transaction",
		X: plot.Axis{Title: "records a transaction, at most", Log: true}, Y: plot.Axis{Title: "records a second"},
		Lines: bySize(r.measures, "records", "copy that decodes", "transform"),
	}, {
		Name: "transform-remembered", Title: "Records mapped by what deduplication remembers",
		X: plot.Axis{Title: "events remembered", Log: true}, Y: plot.Axis{Title: "records a second"},
		Lines: bySize(r.measures, "remembered", "", "transform"),
	}}
}

// byBatch drains with more and more records a transaction.
func (b *transformBench) byBatch(ctx context.Context) error {
	for _, size := range []int{100, 1000, produceBatch} {
		m := b.measure(Measure{Name: fmt.Sprintf("records=%d", size), Unit: "/s", By: Ratio})
		var copied *drained
		err := b.rounds(ctx, m.Name,
			func(ctx context.Context) (err error) {
				copied, err = b.drainAs(ctx, b.nextGroup(), "copy-decoding", size)
				return err
			},
			func(ctx context.Context) error {
				subject, err := b.drainAs(ctx, b.nextGroup(), "transform", size)
				if err == nil {
					m.add(copied.rate, subject.rate)
				}
				return err
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// byCores drains on one core and on all. The broker, in another process, has its
// share of them.
func (b *transformBench) byCores(ctx context.Context) error {
	all := runtime.GOMAXPROCS(0)
	m := b.measure(Measure{Name: fmt.Sprintf("%d cores, baseline 1", all), Unit: "/s", By: Ratio})
	var one *drained
	on := func(cores int) (*drained, error) {
		return b.drainAs(ctx, b.nextGroup(), "transform", produceBatch, fmt.Sprintf("GOMAXPROCS=%d", cores))
	}
	return b.rounds(ctx, m.Name,
		func(context.Context) (err error) { one, err = on(1); return err },
		func(context.Context) error {
			many, err := on(all)
			if err == nil {
				m.add(one.rate, many.rate)
			}
			return err
		})
}

// byRemembered drains with more and more events in the deduplication set.
func (b *transformBench) byRemembered(ctx context.Context) error {
	sizes := []int{10_000, 1_000_000, 10_000_000}
	if b.Quick {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		m := b.measure(absolute(fmt.Sprintf("remembered=%d", size), "/s", nil))
		err := b.rounds(ctx, m.Name, func(ctx context.Context) error {
			group := b.nextGroup()
			if err := b.remember(ctx, group, size); err != nil {
				return err
			}
			d, err := b.drainAs(ctx, group, "transform", produceBatch)
			if err == nil {
				m.take(d.rate)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remember fills a group's deduplication changelog with events of the last hours.
func (b *transformBench) remember(ctx context.Context, group string, n int) error {
	o := ServerOptions{Group: group, Prefix: b.cluster.prefix}
	cfg, err := benchKafka(b.cluster.brokers, "")
	if err != nil {
		return err
	}
	cfg.Topics = o.topics()
	client, err := cfg.NewClient("bench-remember", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := cfg.EnsureTopics(ctx, client, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	each := min(produceBatch, n/int(cfg.Partitions))
	entries := make([]record.DedupEntry, each)
	batch := make([]*kgo.Record, 0, cfg.Partitions)
	for made := 0; made < n; {
		batch = batch[:0]
		for p := range cfg.Partitions {
			for i := range entries {
				fill(entries[i].Fingerprint[:])
			}
			age := cfg.DedupWindow / 2 * time.Duration(n-made) / time.Duration(n)
			batch = append(batch, record.DedupRecord(cfg.Topics.Dedup, cfg.Topics.Raw, p, time.Now().Add(-age), entries))
			made += each
		}
		if err := client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			return fmt.Errorf("fill the deduplication changelog: %w", err)
		}
	}
	return nil
}

// fill writes what a hash could be.
func fill(b []byte) {
	for i := range b {
		b[i] = byte(rand.Uint32()) //nolint:gosec // no secret
	}
}
