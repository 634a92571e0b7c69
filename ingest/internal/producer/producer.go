// SPDX-License-Identifier: Apache-2.0

// Package producer writes raw records to Kafka and waits for the
// acknowledgement, for a bounded time and in bounded memory.
package producer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/kafka"
)

// linger is how long a webhook waits for others to share its request, and so its
// cost at the broker and here: without it a fast broker gets batches of one. What
// it adds to every answer it adds to the slow ones too, and a longer one saves
// little more: a request takes what has come for all partitions. Kafka's own
// default since 4.0 is 5 ms (KIP-1030).
const linger = time.Millisecond

// ErrUnavailable means that the record was not acknowledged. It may still be
// written: the sender is expected to send again, and deduplication drops the
// second one.
var ErrUnavailable = errors.New("kafka did not acknowledge the record")

// Config of a Producer.
type Config struct {
	Kafka *kafka.Config
	// ClientID names the client in the broker's logs.
	ClientID string
	// Timeout bounds the wait for one acknowledgement.
	Timeout time.Duration
	Log     *slog.Logger
	// Status is told whether Kafka can be reached and acknowledges what is produced.
	Status func(ready bool, reason string)
}

// Producer is safe for concurrent use.
type Producer struct {
	cfg    Config
	client *kgo.Client
	// checked is set once the topics are known to be as they must be: a
	// record that is written by another partitioning would break the order of
	// its key.
	checked   atomic.Bool
	health    health
	deadlines deadlines
	duration  metric.Float64Histogram
}

// New makes a Producer. It does not connect yet.
func New(cfg Config) (*Producer, error) {
	client, err := cfg.Kafka.NewClient(cfg.ClientID, cfg.Log,
		kgo.ProducerLinger(linger),
		// Without this, records whose deadline has passed wait in the buffer for
		// the outcome of the batch before them, so that an outage fills it with
		// webhooks that were answered 503. Its price, that the broker may hold
		// such a record, is paid anyway: the sender sends it again.
		kgo.AllowIdempotentProduceCancellation())
	if err != nil {
		return nil, err
	}
	duration, err := otel.Meter("github.com/hookstream/hookstream/ingest/producer").Float64Histogram(
		"hookstream.ingest.produce.duration", metric.WithUnit("s"),
		metric.WithDescription("Time until Kafka acknowledged the raw records of a request, or until they were given up."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5))
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("producer metrics: %w", err)
	}
	return &Producer{
		cfg: cfg, client: client, duration: duration, deadlines: deadlines{timeout: cfg.Timeout}, health: health{tell: cfg.Status},
	}, nil
}

// Run creates or checks the topics and then watches them, and whether what is
// produced is acknowledged, until ctx ends. Its error is Fatal: wrong credentials, or
// a topic that is not as it must be.
func (p *Producer) Run(ctx context.Context) error {
	return p.cfg.Kafka.OnTopics(ctx, p.cfg.ClientID, p.cfg.Log, p.health.topics, p.accept)
}

// accept takes webhooks while the topics stay what they are.
func (p *Producer) accept(ctx context.Context) error {
	// The client sticks to the topic that it knew, should there be another of its name.
	p.client.PurgeTopicsFromProducing(p.cfg.Kafka.Topics.Raw)
	p.checked.Store(true)
	p.health.opened()
	tick := time.NewTicker(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			p.health.judge(now)
		}
	}
}

// Produce is ProduceAll for one record.
func (p *Producer) Produce(ctx context.Context, r *kgo.Record) error {
	return p.ProduceAll(ctx, []*kgo.Record{r})
}

// ProduceAll writes the records and returns nil once all in-sync replicas have
// every one of them. It waits for at most the configured timeout, which is one
// for all, and not for room in the client's buffer: the error then wraps
// ErrUnavailable, and any of the records may be written. That the sender has
// gone does not stop it: what was verified is worth keeping.
func (p *Producer) ProduceAll(ctx context.Context, records []*kgo.Record) error {
	if !p.checked.Load() {
		return fmt.Errorf("%w: its topics are not checked yet", ErrUnavailable)
	}
	start := time.Now()
	// The deadline is the records' too: what is not sent by then leaves the
	// buffer, so an outage does not fill it with what was given up.
	var wait context.Context = patience{p.deadlines.after(start), ctx}
	if len(records) > 1 { // where one fails, the others are given up
		var cancel context.CancelFunc
		wait, cancel = context.WithCancel(wait)
		defer cancel()
	}
	crash.At(crash.BeforeRawProduce)
	err := p.produceAll(wait, records) //nolint:contextcheck // it outlasts the sender
	crash.At(crash.AfterRawProduce)
	p.duration.Record(ctx, time.Since(start).Seconds(), outcomeOf(err))
	p.health.produced(err)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// maxAtOnce is how many records of one request are in the client's buffer at
// once: a large batch leaves room for others, and stops where it fails.
const maxAtOnce = 500

// produceAll returns at the first failure or when wait ends; the other records
// then end with the caller's cancellation of wait.
func (p *Producer) produceAll(wait context.Context, records []*kgo.Record) error {
	// Room for every outcome, so that no promise waits for a reader.
	outcomes := make(chan error, len(records))
	sent := 0
	for acknowledged := range records {
		for ; sent < len(records) && sent < acknowledged+maxAtOnce; sent++ {
			p.client.TryProduce(wait, records[sent], func(_ *kgo.Record, err error) { outcomes <- err })
		}
		select {
		case err := <-outcomes:
			if err != nil {
				return err
			}
		case <-wait.Done():
			return context.DeadlineExceeded
		}
	}
	return nil
}

var (
	outcomeAcknowledged = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "acknowledged")))
	outcomeTimeout      = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "timeout")))
	outcomeBufferFull   = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "buffer_full")))
	outcomeFailed       = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "failed")))
)

func outcomeOf(err error) metric.MeasurementOption {
	switch {
	case err == nil:
		return outcomeAcknowledged
	case errors.Is(err, context.DeadlineExceeded):
		return outcomeTimeout
	case errors.Is(err, kgo.ErrMaxBuffered):
		return outcomeBufferFull
	}
	return outcomeFailed
}

// Flush waits until everything buffered is written or given up, or ctx ends.
func (p *Producer) Flush(ctx context.Context) error { return p.client.Flush(ctx) }

// Close ends the client. Records still in the buffer fail.
func (p *Producer) Close() {
	p.client.Close()
	p.deadlines.end()
}
