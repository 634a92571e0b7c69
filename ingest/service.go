// SPDX-License-Identifier: Apache-2.0

// Package ingest is the edge: it takes webhooks over HTTP, verifies their
// signature over the exact bytes, finds their identity, and answers 202 once
// Kafka has them. It maps nothing and knows no database.
package ingest

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/limit"
	"github.com/hookstream/hookstream/ingest/internal/producer"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/stage/admin"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/outbound"
	"github.com/hookstream/hookstream/stage/reload"
	"github.com/hookstream/hookstream/stage/service"
)

// The parts of readiness.
const (
	partKafka  = "kafka"
	partSetup  = "definitions and secrets"
	partServer = "server"
)

// spareFiles are what the process has open besides senders' connections, with
// room to spare: connections to Kafka and to probes, files.
const spareFiles = 256

// Service is one instance of ingest.
type Service struct {
	cfg      Config
	log      *slog.Logger
	health   *admin.Health
	admin    *admin.Server
	server   *server
	setup    *reload.Source[setup]
	producer *producer.Producer
}

// New checks the configuration, the definitions and the secrets, and opens the
// listeners, so that Address is known. It connects to nothing.
func New(cfg Config, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	s := &Service{cfg: cfg, log: log, health: admin.NewHealth("ingest", partKafka, partSetup, partServer)}
	out := outbound.New(outbound.Config{Mode: cfg.Outbound})
	var err error
	if s.setup, err = s.follow(verify.Trust{Fetcher: out}); err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	if s.setup.Value().pairs == 0 {
		log.Warn("no signing secrets are configured, so every webhook is answered 404; set HOOKSTREAM_SECRETS_DIR or HOOKSTREAM_SECRETS")
	}
	s.producer, err = producer.New(producer.Config{
		Kafka: &s.cfg.Kafka, ClientID: "hookstream-ingest", Timeout: cfg.ProduceTimeout,
		Log: log, Status: s.health.Reporter(partKafka),
	})
	if err != nil {
		return nil, err
	}
	if err = s.listen(out); err != nil {
		s.producer.Close()
		return nil, err
	}
	return s, nil
}

func (s *Service) listen(out *outbound.Client) error {
	intake, err := limit.NewIntake(limit.Config{
		MaxConnections: s.maxConnections(), MaxBodyBytes: s.cfg.MaxInFlightBytes,
		ReadTimeout: s.cfg.ReadTimeout, MinBodyRate: s.cfg.MinBodyRate,
	})
	if err != nil {
		return err
	}
	rates, err1 := s.cfg.rates()
	allowlist, err2 := s.cfg.allowlist()
	if err := errors.Join(err1, err2); err != nil {
		return failure.NewFatal("configuration: %w", err)
	}
	handler, err := edge.New(edge.Config{
		Setup: func() *edge.Setup { return s.setup.Value().Setup }, Producer: s.producer,
		RawTopic: s.cfg.Kafka.Topics.Raw, MaxBody: s.cfg.MaxBodyBytes, MaxInFlight: s.cfg.MaxInFlight,
		PublicURL: s.cfg.PublicURL, PublicURLs: s.cfg.PublicURLs,
		Networks: allowlist, Limiter: rates, Memory: intake,
		Confirmer: out, Capturer: secret.Captor{Dir: s.cfg.SecretsDir}, Log: s.log,
	})
	if err != nil {
		return err
	}
	if s.server, err = listen(context.Background(), &s.cfg, intake, handler, s.log); err != nil {
		return err
	}
	if s.admin, err = admin.Listen(context.Background(), s.cfg.AdminAddress, s.health, s.log); err != nil {
		_ = s.server.listener.Close() // nobody has used it
		return err
	}
	return nil
}

// maxConnections is what is configured, or less where the process may not have so
// many files open: without files nobody could connect at all, and nothing would
// decide who gives way.
func (s *Service) maxConnections() int {
	files := limit.OpenFiles()
	if s.cfg.MaxConnections <= files-spareFiles {
		return s.cfg.MaxConnections
	}
	most := max(files-spareFiles, 1)
	s.log.Warn("fewer connections are taken than HOOKSTREAM_MAX_CONNECTIONS; raise the limit of open files (ulimit -n)",
		"max_connections", most, "open_files", files)
	return most
}

// Address is where webhooks go: host and port.
func (s *Service) Address() string { return s.server.listener.Addr().String() }

// AdminAddress is where /livez, /readyz and /metrics are, or "".
func (s *Service) AdminAddress() string { return s.admin.Address() }

// Run answers until ctx ends, lets the requests in hand finish, and returns nil.
// Until the topics are known to be right, webhooks are answered 503.
func (s *Service) Run(ctx context.Context) error {
	defer s.producer.Close()
	return service.Serve(ctx, s.admin, s.work)
}

func (s *Service) work(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	s.health.Set(partKafka, false, "waiting for Kafka, and for its topics to be checked")
	g.Go(func() error { return s.producer.Run(gctx) })
	g.Go(func() error { return s.server.serve(gctx) })
	g.Go(func() error { return s.setup.Run(gctx) })
	g.Go(func() error {
		s.health.Set(partServer, true, "")
		s.log.InfoContext(gctx, "listening", "address", s.Address())
		<-gctx.Done()
		s.drain(gctx)
		return nil
	})
	return g.Wait()
}

// drain ends readiness first and goes on serving until load balancers have
// noticed, then waits for the requests in hand, and last for what the client
// still has to write. Only requests that were answered 503 can be left behind.
func (s *Service) drain(ctx context.Context) {
	s.health.Set(partServer, false, "draining")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	if err := s.server.drain(ctx, s.cfg.DrainDelay); err != nil {
		s.log.WarnContext(ctx, "requests were cut off; raise HOOKSTREAM_DRAIN_TIMEOUT", "error", err)
	}
	if err := s.producer.Flush(ctx); err != nil {
		s.log.WarnContext(ctx, "Kafka did not take what had been answered 503", "error", err)
	}
}
