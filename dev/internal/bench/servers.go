// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/hookstream/hookstream/dev/internal/broker"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/ingest"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/telemetry"
)

// bareServer is the least that takes a webhook: it reads the body and answers 202.
type bareServer struct {
	listener net.Listener
	done     chan error
}

func startBare(ctx context.Context, _ ServerOptions) (server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &bareServer{listener: listener, done: make(chan error, 1)}
	go func() {
		s.done <- http.Serve(listener, http.HandlerFunc(takeBody)) //nolint:gosec // no timeouts: as bare as it gets
	}()
	return s, nil
}

func takeBody(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (s *bareServer) Address() string { return s.listener.Addr().String() }

func (s *bareServer) Close() error {
	err := s.listener.Close()
	if served := <-s.done; !errors.Is(served, net.ErrClosed) {
		return errors.Join(err, served)
	}
	return err
}

// ingestServer is the service as it runs in production, telemetry included.
type ingestServer struct {
	*ingest.Service
	stop   context.CancelFunc
	failed chan error
	flush  func() error
}

// startSilentIngest is the same without telemetry.
func startSilentIngest(ctx context.Context, o ServerOptions) (server, error) {
	return ingesting(ctx, o, noTelemetry)
}

func startIngest(ctx context.Context, o ServerOptions) (server, error) {
	return ingesting(ctx, o, telemetry.Start)
}

// observe is telemetry.Start, or what does nothing.
type observe func(ctx context.Context, service, version string) (func(context.Context) error, error)

func noTelemetry(context.Context, string, string) (func(context.Context) error, error) {
	return func(context.Context) error { return nil }, nil
}

func ingesting(ctx context.Context, o ServerOptions, observe observe) (_ server, err error) {
	var cfg ingest.Config
	if err := ingest.Info.Defaults(&cfg); err != nil {
		return nil, err
	}
	cfg.Kafka.Brokers, cfg.Kafka.Topics = o.Brokers, topic.DefaultNames().Prefixed(o.Prefix)
	cfg.Address, cfg.AdminAddress = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Secrets = ingest.Secret(workload.SecretList())
	cfg.RateLimit, cfg.DrainDelay = 0, 0 // it is measured what there is, not what one tenant may have
	service.RaiseHeapFloor()
	flush, err := observe(ctx, "ingest", "bench")
	if err != nil {
		return nil, err
	}
	instance, err := ingest.New(cfg, errorsOnly()) //nolint:contextcheck // New waits for nothing
	if err != nil {
		return nil, err
	}
	runCtx, stop := context.WithCancel(ctx)
	s := &ingestServer{Service: instance, stop: stop, failed: make(chan error, 1),
		flush: func() error { return flush(context.WithoutCancel(ctx)) }}
	go func() { s.failed <- instance.Run(runCtx) }()
	if err := awaitReady(ctx, "http://"+s.AdminAddress()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close implements server.
func (s *ingestServer) Close() error {
	s.stop()
	return errors.Join(<-s.failed, s.flush())
}

// brokerServer is the embedded broker with its records in memory: what the disk
// does meanwhile is no part of the benchmark.
type brokerServer struct{ *broker.Broker }

func startBroker(context.Context, ServerOptions) (server, error) {
	b, err := broker.Start("", 0)
	if err != nil {
		return nil, err
	}
	return brokerServer{b}, nil
}

// Address implements server.
func (s brokerServer) Address() string { return s.Addresses()[0] }

// Close implements server.
func (s brokerServer) Close() error {
	s.Broker.Close()
	return nil
}
