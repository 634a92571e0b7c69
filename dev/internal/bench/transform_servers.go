// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/telemetry"
	"github.com/hookstream/hookstream/stage/transact"
	"github.com/hookstream/hookstream/transform"
)

// running is a part that works in the background until it is closed.
type running struct {
	stop   context.CancelFunc
	failed chan error
}

func run(ctx context.Context, work func(context.Context) error) *running {
	ctx, stop := context.WithCancel(ctx)
	r := &running{stop: stop, failed: make(chan error, 1)}
	go func() { r.failed <- work(ctx) }()
	return r
}

// Address implements server; it listens to nobody.
func (*running) Address() string { return "" }

// Close implements server.
func (r *running) Close() error {
	r.stop()
	return <-r.failed
}

// errorsOnly is for logs: that topics are not there at first is usual here.
func errorsOnly() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// topics are a turn's own, all but the backlog.
func (o *ServerOptions) topics() topic.Names {
	names := topic.DefaultNames().Prefixed(o.Group + ".")
	names.Raw = topic.DefaultNames().Prefixed(o.Prefix).Raw
	return names
}

// observed is a server that flushes its telemetry when it ends.
type observed struct {
	server
	flush func(context.Context) error
}

// Close implements server.
func (o observed) Close() error {
	return errors.Join(o.server.Close(), o.flush(context.Background()))
}

func (o *ServerOptions) records() int { return cmp.Or(o.Records, produceBatch) }

// startObservedTransform is the service as it runs in production.
func startObservedTransform(ctx context.Context, o ServerOptions) (server, error) {
	flush, err := telemetry.Start(ctx, "transform", "bench")
	if err != nil {
		return nil, err
	}
	s, err := startTransform(ctx, o)
	if err != nil {
		return nil, err
	}
	return observed{s, flush}, nil
}

// startTransform is the service without telemetry, which the copies do not have
// either.
func startTransform(ctx context.Context, o ServerOptions) (server, error) {
	var cfg transform.Config
	if err := transform.Info.Defaults(&cfg); err != nil {
		return nil, err
	}
	cfg.Kafka.Brokers, cfg.Kafka.Topics = o.Brokers, o.topics()
	cfg.Registry.URL, cfg.Group, cfg.InstanceID, cfg.AdminAddress = o.Registry, o.Group, "bench", ""
	cfg.MaxRecords = o.records()
	service.RaiseHeapFloor()
	s, err := transform.New(cfg, errorsOnly()) //nolint:contextcheck // New waits for nothing
	if err != nil {
		return nil, err
	}
	return run(ctx, s.Run), nil
}

// startCopy moves records to another topic in transactions, and startDecoding
// decodes each body on the way, as the simplest consumer would.
func startCopy(ctx context.Context, o ServerOptions) (server, error) { return copying(ctx, o, false) }
func startDecoding(ctx context.Context, o ServerOptions) (server, error) {
	return copying(ctx, o, true)
}

func copying(ctx context.Context, o ServerOptions, decode bool) (server, error) {
	cfg, err := benchKafka(o.Brokers, o.Prefix)
	if err != nil {
		return nil, err
	}
	out := o.topics().Events("copy")
	if err := create(ctx, cfg, out); err != nil {
		return nil, err
	}
	loop, err := transact.New(transact.Config{
		Kafka: cfg, Group: o.Group, Topics: []string{cfg.Topics.Raw}, TransactionalID: o.Group + "-bench",
		MaxRecords: o.records(), Timeout: readyTimeout, SessionTimeout: readyTimeout, DrainTimeout: drainTime, Log: errorsOnly(),
	}, copier{out, decode})
	if err != nil {
		return nil, err
	}
	return run(ctx, loop.Run), nil
}

func create(ctx context.Context, cfg *kafka.Config, name string) error {
	client, err := cfg.NewClient("bench-create", errorsOnly())
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(ctx, cfg.Partitions, 1, nil, name)
	return err
}

// copier is the least that a transactional stage does.
type copier struct {
	out    string
	decode bool
}

// Restore implements transact.Processor.
func (copier) Restore(context.Context, []kafka.Partition) error { return nil }

// Forget implements transact.Processor.
func (copier) Forget([]kafka.Partition) {}

// Process implements transact.Processor.
func (c copier) Process(_ context.Context, in []*kgo.Record) (transact.Output, error) {
	var out transact.Output
	for _, r := range in {
		if c.decode {
			var body any
			if err := json.Unmarshal(r.Value, &body); err != nil {
				return out, errors.New("the backlog holds a body that is no JSON")
			}
		}
		out.Records = append(out.Records, &kgo.Record{Topic: c.out, Key: r.Key, Value: r.Value})
	}
	return out, nil
}
