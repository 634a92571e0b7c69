// SPDX-License-Identifier: Apache-2.0

// Package ingest is the edge: it takes webhooks over HTTP, verifies their
// signature over the exact bytes, finds their identity, and answers 202 once
// Kafka has them. It maps nothing and knows no database.
package ingest

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/producer"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/stage/admin"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/service"
)

// The parts of readiness.
const (
	partKafka  = "kafka"
	partServer = "server"
)

// Service is one instance of ingest.
type Service struct {
	cfg      Config
	log      *slog.Logger
	health   *admin.Health
	admin    *admin.Server
	server   *server
	producer *producer.Producer
}

// New checks the configuration, the definitions and the secrets, and opens the
// listeners, so that Address is known. It connects to nothing.
func New(cfg Config, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	s := &Service{cfg: cfg, log: log, health: admin.NewHealth(partKafka, partServer)}
	catalog, schemes, keys, err := load(&s.cfg)
	if err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	if keys.Len() == 0 {
		log.Warn("no signing secrets are configured, so every webhook is answered 404; set HOOKSTREAM_SECRETS_DIR or HOOKSTREAM_SECRETS")
	}
	s.producer, err = producer.New(producer.Config{
		Kafka: &s.cfg.Kafka, ClientID: "hookstream-ingest", Timeout: cfg.ProduceTimeout,
		Log: log, Status: s.health.Reporter(partKafka),
	})
	if err != nil {
		return nil, err
	}
	handler, err := edge.New(edge.Config{
		Catalog: catalog, Schemes: schemes, Keys: keys, Producer: s.producer,
		RawTopic: cfg.Kafka.Topics.Raw, MaxBody: cfg.MaxBodyBytes, MaxInFlight: cfg.MaxInFlight,
		PublicURL: cfg.PublicURL, Log: log,
	})
	if err == nil {
		err = s.listen(handler)
	}
	if err != nil {
		s.producer.Close()
		return nil, err
	}
	return s, nil
}

// load reads the definitions and the secrets.
func load(cfg *Config) (provider.Catalog, verify.Schemes, *verify.Keyring, error) {
	catalog, err := provider.Load(cfg.DefinitionsDir)
	if err != nil {
		return nil, nil, nil, err
	}
	schemes, err := verify.CompileAll(catalog)
	if err != nil {
		return nil, nil, nil, err
	}
	entries, err := secret.Load(cfg.SecretsDir, cfg.Secrets)
	if err != nil {
		return nil, nil, nil, err
	}
	keys, err := verify.NewKeyring(entries, schemes)
	return catalog, schemes, keys, err
}

func (s *Service) listen(handler *edge.Handler) error {
	var err error
	if s.server, err = listen(context.Background(), &s.cfg, handler, s.log); err != nil {
		return err
	}
	if s.admin, err = admin.Listen(context.Background(), s.cfg.AdminAddress, s.health, s.log); err != nil {
		_ = s.server.listener.Close() // nobody has used it
		return err
	}
	return nil
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
	g.Go(func() error { return s.producer.Run(gctx) })
	g.Go(s.server.serve)
	g.Go(func() error {
		s.health.Set(partServer, true, "")
		s.log.InfoContext(gctx, "listening", "address", s.Address())
		<-gctx.Done()
		s.drain(gctx)
		return nil
	})
	return g.Wait()
}

// drain ends readiness first, so that no new requests are sent here, then waits
// for those in hand, and last for what the client still has to write. Only
// requests that were answered 503 can be left behind.
func (s *Service) drain(ctx context.Context) {
	s.health.Set(partServer, false, "draining")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.DrainTimeout)
	defer cancel()
	if err := s.server.drain(ctx); err != nil {
		s.log.WarnContext(ctx, "requests were cut off; raise HOOKSTREAM_DRAIN_TIMEOUT", "error", err)
	}
	if err := s.producer.Flush(ctx); err != nil {
		s.log.WarnContext(ctx, "Kafka did not take what had been answered 503", "error", err)
	}
}
