// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"github.com/twmb/franz-go/plugin/kslog"
	"go.opentelemetry.io/otel"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/tracing"
)

// Bounds on what one client holds in memory. A fetch of one partition must be
// able to hold the largest batch.
const (
	fetchMaxBytes          = 16 << 20
	fetchMaxPartitionBytes = 4 << 20
	maxBufferedRecords     = 20_000
	maxBufferedBytes       = 128 << 20
)

// fetchMaxWait is how long a fetch waits at the broker where there is nothing to
// read, and so how long a partition that goes on, or is read from elsewhere, may wait
// behind a fetch of the others. It is the default of Kafka's own client.
const fetchMaxWait = 500 * time.Millisecond

// Options are the client options that every Hookstream client shares. Group
// and transaction options come on top.
func (c *Config) Options(clientID string, log *slog.Logger) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.ClientID(clientID),
		kgo.SoftwareNameAndVersion("hookstream", "1"),
		kgo.SeedBrokers(c.Brokers...),
		kgo.WithLogger(kslog.New(quiet(log))),
		kgo.WithHooks(hooks(clientID)...),

		// Reading: never what a transaction aborted. A first start reads from
		// the beginning; a stored offset that is out of range is an error,
		// because going on anywhere else would lose or repeat records.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxWait(fetchMaxWait),
		kgo.FetchMaxPartitionBytes(max(fetchMaxPartitionBytes, c.MaxMessageBytes)),

		// Writing: idempotent, acknowledged by all in-sync replicas, keyed by
		// Java's murmur2.
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner(&c.Topics, c.Partitions)),
		kgo.ProducerBatchMaxBytes(c.MaxMessageBytes),
		kgo.MaxBufferedRecords(maxBufferedRecords),
		kgo.MaxBufferedBytes(maxBufferedBytes),
		// Snappy: lz4 works in blocks of 4 MiB, which costs more than it saves on
		// the small batches of a low latency.
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()),
	}
	if c.TLS {
		t, err := c.tls()
		if err != nil {
			return nil, failure.NewFatal("kafka: %w", err)
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	if m := c.sasl(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// NewClient makes a client with Options and more.
func (c *Config) NewClient(clientID string, log *slog.Logger, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := c.Options(clientID, log)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, failure.NewFatal("kafka client %s: %w", clientID, err)
	}
	return cl, nil
}

// hooks trace every record that is produced and measure the client: by request
// and batch, so that a record costs nothing.
func hooks(clientID string) []kgo.Hook {
	return []kgo.Hook{tracing.NewProducer(clientID), kotel.NewMeter(kotel.MeterProvider(otel.GetMeterProvider()))}
}

// quiet keeps the client's own logs to warnings: at info it reports every
// transaction.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(minLevel{log.Handler(), slog.LevelWarn})
}

type minLevel struct {
	slog.Handler
	level slog.Level
}

// Enabled also asks the wrapped handler.
func (h minLevel) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// WithAttrs keeps the limit on the derived handler.
func (h minLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return minLevel{h.Handler.WithAttrs(attrs), h.level}
}

// WithGroup keeps the limit on the derived handler.
func (h minLevel) WithGroup(name string) slog.Handler {
	return minLevel{h.Handler.WithGroup(name), h.level}
}

// Ping waits until a broker answers, trying again while it does not.
func Ping(ctx context.Context, cl *kgo.Client, log *slog.Logger) error {
	return ping(ctx, cl, log, func(bool, string) {})
}

func ping(ctx context.Context, cl *kgo.Client, log *slog.Logger, status func(ready bool, reason string)) error {
	return failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return Classify(cl.Ping(ctx))
	}, func(failures int, _ time.Duration, err error) {
		status(false, waitingForKafka+": "+err.Error())
		log.WarnContext(ctx, "waiting for Kafka", "attempt", failures, "error", err)
	})
}
