// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/registry"
	"github.com/hookstream/hookstream/ingest"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/kafka"
)

// transformation is what mapping, deduplication and Avro cost beside moving records
// in transactions.
var transformation = Benchmark{
	Name:     "transform",
	Title:    fmt.Sprintf("a backlog of Stripe webhooks of %d bytes, 5000 records a transaction", bodyBytes),
	Baseline: "dec. copy", Subject: "transform",
	pass: passTransform,
}

const (
	// leastTransform is the goal against a transactional copy that decodes each
	// body to any, in one thread.
	leastTransform = 2.0
	// backlogRate is how many records are prepared for each second of a turn.
	backlogRate = 60_000
	// produceBatch bounds what the preparation has in flight.
	produceBatch = 5_000
)

// passTransform gives every side the same backlog, under a consumer group and
// with output topics of its own in each turn.
func passTransform(ctx context.Context, r *Run) (err error) {
	b := newTransformBench(r)
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	if err := b.start(ctx); err != nil {
		return err
	}
	rate := r.measure(Measure{Name: "throughput", Unit: "records/s", By: Ratio, Limit: atLeast(leastTransform)})
	cpu := r.measure(Measure{Name: "CPU", Unit: "µs/record", By: Ratio})
	limit := r.measure(Measure{Name: "limit: copy that decodes nothing", Unit: "records/s", By: Ratio})
	var decoding, subject *drained
	turn := func(server string, into **drained) turn {
		return func(ctx context.Context) (err error) { *into, err = b.drain(ctx, server); return err }
	}
	var plain *drained
	return b.rounds(ctx, "draining the backlog", turn("copy-decoding", &decoding), turn("transform", &subject),
		func(ctx context.Context) (err error) {
			if plain, err = b.drain(ctx, "copy"); err != nil {
				return err
			}
			rate.add(decoding.rate, subject.rate)
			cpu.add(decoding.cpu, subject.cpu)
			limit.add(decoding.rate, plain.rate)
			return nil
		})
}

type transformBench struct {
	*Run
	cluster  *cluster
	registry *registry.Registry
	client   *kgo.Client
	records  int64
	turns    int
}

func newTransformBench(r *Run) *transformBench {
	return &transformBench{Run: r, records: int64(r.Turn.Seconds() * backlogRate)}
}

func (b *transformBench) start(ctx context.Context) (err error) {
	b.progress("preparing a backlog of %d records", b.records)
	if b.cluster, err = b.startCluster(ctx); err != nil {
		return err
	}
	if b.registry, err = registry.Start(ctx, "127.0.0.1:0", ""); err != nil {
		return err
	}
	cfg, err := benchKafka(b.cluster.brokers, b.cluster.prefix)
	if err != nil {
		return err
	}
	if b.client, err = cfg.NewClient("bench", slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	if err := cfg.EnsureTopics(ctx, b.client, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	return b.fill(ctx)
}

// benchKafka is the configuration that all sides share.
func benchKafka(brokers []string, prefix string) (*kafka.Config, error) {
	var cfg ingest.Config // any service has it
	if err := ingest.Info.Defaults(&cfg); err != nil {
		return nil, err
	}
	cfg.Kafka.Brokers, cfg.Kafka.Topics = brokers, topic.DefaultNames().Prefixed(prefix)
	return &cfg.Kafka, nil
}

// fill writes the backlog as ingest would have.
func (b *transformBench) fill(ctx context.Context) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	for from := 0; from < int(b.records); from += produceBatch {
		var batch []*kgo.Record
		for n := from; n < min(from+produceBatch, int(b.records)); n++ {
			w := &record.Webhook{
				Tenant: "default", Provider: "stripe", EventID: fmt.Sprintf("evt_bench%07d", n), IdentitySource: identity.ProviderID,
				EventType: "payment_intent.succeeded", BusinessKey: fmt.Sprintf("pi_bench%07d", n%distinct),
				OccurredAt: now, ReceivedAt: now, CorrelationID: fmt.Sprintf("bench-%d", n),
				ContentType: "application/json", Body: paymentIntent(n, now),
			}
			r := w.Record(b.cluster.names().Raw)
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.TraceParent, Value: traceParent(n)})
			batch = append(batch, r)
		}
		if err := b.client.ProduceSync(ctx, batch...).FirstErr(); err != nil {
			return fmt.Errorf("write the backlog: %w", err)
		}
	}
	return nil
}

// sampledOneIn is how many records have a sampled one among them: 1 %.
const sampledOneIn = 100

// traceParent is the context of a record's trace (W3C Trace Context).
func traceParent(n int) []byte {
	flags := "00"
	if n%sampledOneIn == 0 {
		flags = "01"
	}
	return fmt.Appendf(nil, "00-%032x-%016x-%s", n+1, n+1, flags)
}

func (b *transformBench) stop(ctx context.Context) error {
	var errs []error
	if b.client != nil {
		b.client.Close()
	}
	if b.registry != nil {
		errs = append(errs, b.registry.Close(context.WithoutCancel(ctx)))
	}
	return errors.Join(append(errs, b.cluster.stop(ctx))...)
}

// drained is what one turn gave.
type drained struct {
	// rate is in records a second, between the first and the last commit: the
	// start of a group member is not measured.
	rate float64
	// cpu is in microseconds a record.
	cpu float64
}

// pollEvery is how often the group's offsets are looked at.
const pollEvery = 10 * time.Millisecond

// drain runs a server in a process of its own until its group has committed the
// whole backlog.
func (b *transformBench) drain(ctx context.Context, server string) (*drained, error) {
	return b.drainAs(ctx, b.nextGroup(), server, produceBatch)
}

func (b *transformBench) nextGroup() string {
	b.turns++
	return fmt.Sprintf("%sbench-%d", b.cluster.prefix, b.turns)
}

// drainAs is drain as a group, with so many records a transaction at most and
// some environment variables.
func (b *transformBench) drainAs(ctx context.Context, group, server string, records int, env ...string) (_ *drained, err error) {
	args := b.cluster.args("--registry", b.registry.URL(), "--group", group, "--records", strconv.Itoa(records))
	p, err := b.spawnIn(ctx, env, server, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	first, err := b.committed(ctx, group, 1)
	if err != nil {
		return nil, err
	}
	before, err := p.used()
	if err != nil {
		return nil, err
	}
	last, err := b.committed(ctx, group, b.records)
	if err != nil {
		return nil, err
	}
	after, err := p.used()
	if err != nil {
		return nil, err
	}
	n := float64(last.records - first.records)
	return &drained{rate: n / last.at.Sub(first.at).Seconds(), cpu: after.since(before).microseconds() / n}, nil
}

// progressOf a group at a time.
type progressOf struct {
	records int64
	at      time.Time
}

// committed waits until the group has committed at least so many records.
func (b *transformBench) committed(ctx context.Context, group string, least int64) (progressOf, error) {
	admin := kadm.NewClient(b.client)
	for {
		offsets, err := admin.FetchOffsets(ctx, group)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // it has no member yet
			return progressOf{}, err
		}
		p := progressOf{at: time.Now()}
		offsets.Each(func(o kadm.OffsetResponse) { p.records += max(0, o.At) })
		if p.records >= least {
			return p, nil
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return progressOf{}, err
		}
	}
}
