// SPDX-License-Identifier: Apache-2.0

// Package transform is the service that turns raw webhooks into canonical
// events, exactly once.
package transform

import (
	"context"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/admin"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/stage/transact"
	"github.com/hookstream/hookstream/transform/internal/dedup"
	"github.com/hookstream/hookstream/transform/internal/held"
	"github.com/hookstream/hookstream/transform/internal/normalize"
)

// Parts of the service, as /readyz shows them.
const (
	partTopics      = "topics"
	partSchemas     = "schemas"
	partDefinitions = "definitions"
	partTransform   = "transform"
	// partHeld is always ready: what is held is in nobody's way.
	partHeld = "held"
)

// Service maps and deduplicates.
type Service struct {
	cfg      Config
	log      *slog.Logger
	source   *normalize.Source
	registry *sr.Client
	encoder  *registry.Encoder // once the schemas are registered
	health   *admin.Health
	admin    *admin.Server
}

// New checks the configuration, compiles the provider definitions and opens the
// admin listener. It does not wait for anything.
func New(cfg Config, log *slog.Logger) (*Service, error) {
	if cfg.InstanceID == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, failure.NewFatal("host name: %w (set HOOKSTREAM_INSTANCE_ID)", err)
		}
		cfg.InstanceID = host
	}
	if err := cfg.Validate(); err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	health := admin.NewHealth("transform", partTopics, partSchemas, partDefinitions, partTransform, partHeld)
	health.Set(partHeld, true, "")
	source, err := normalize.NewSource(cfg.DefinitionsDir, health.Reporter(partDefinitions), log)
	if err != nil {
		return nil, failure.NewFatal("%w", err)
	}
	client, err := cfg.Registry.Client()
	if err != nil {
		return nil, failure.NewFatal("HOOKSTREAM_REGISTRY_URL: %w", err)
	}
	server, err := admin.Listen(context.Background(), cfg.AdminAddress, health, log)
	if err != nil {
		return nil, err
	}
	return &Service{cfg: cfg, log: log, source: source, registry: client, health: health, admin: server}, nil
}

// AdminAddress is where the service answers /livez, /readyz and /metrics, or
// "".
func (s *Service) AdminAddress() string { return s.admin.Address() }

// Run works until ctx ends, commits what it has in hand and returns nil. While
// Kafka or the registry are away it waits. An error is Fatal.
func (s *Service) Run(ctx context.Context) error {
	return service.Serve(ctx, s.admin, s.work)
}

func (s *Service) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.source.Run(ctx) })
	g.Go(func() error {
		return s.cfg.Kafka.OnTopics(ctx, s.cfg.transactionalID(), s.log, s.health.Reporter(partTopics), s.transform)
	})
	return g.Wait()
}

// transform works while the topics stay what they are. The ids of the schemas are
// those of the first time: see whileRegistered.
func (s *Service) transform(ctx context.Context) error {
	if s.encoder == nil {
		var err error
		if s.encoder, err = s.registerSchemas(ctx); err != nil {
			return err
		}
	}
	return s.whileRegistered(ctx, s.encoder, func(ctx context.Context) error {
		loop, err := s.loop(s.encoder) //nolint:contextcheck // a gauge's constant needs none
		if err != nil {
			return err
		}
		return loop.Run(ctx)
	})
}

func (s *Service) loop(encoder *registry.Encoder) (*transact.Loop, error) {
	cfg := &s.cfg
	sets, err := dedup.New(dedup.Config{
		Topic: cfg.Kafka.Topics.Dedup, Window: cfg.Kafka.DedupWindow,
		MaxEntries: cfg.DedupMaxEntries, MaxMessageBytes: cfg.Kafka.MaxMessageBytes,
	})
	if err != nil {
		return nil, err
	}
	processor, err := normalize.New(normalize.Config{
		Kafka: &cfg.Kafka, ClientID: cfg.transactionalID(), Definitions: func() normalize.Catalog { return s.source.Value().Catalog },
		Bounds:  normalize.Bounds{MaxAge: cfg.MaxEventAge, MaxSkew: cfg.MaxEventSkew},
		Encoder: encoder, Sets: sets, Log: s.log, MaxRecords: cfg.MaxRecords, DeadLetter: cfg.DeadLetter,
		Held:   held.New(held.Config{Kafka: &cfg.Kafka, ClientID: cfg.transactionalID(), MaxRecords: cfg.HeldMaxRecords, Log: s.log}),
		Status: func(reason string) { s.health.Set(partHeld, true, reason) },
		DeadLetters: &deadletter.Writer{
			Stage: record.StageTransform, Topic: cfg.Kafka.Topics.DeadLetters, Version: service.Version(), Fits: cfg.Kafka.Fits,
		},
	})
	if err != nil {
		return nil, err
	}
	return transact.New(transact.Config{
		Kafka: &cfg.Kafka, Group: cfg.Group, Topics: []string{cfg.Kafka.Topics.Raw},
		TransactionalID: cfg.transactionalID(), MaxRecords: cfg.MaxRecords,
		Timeout: cfg.TransactionTimeout, SessionTimeout: cfg.SessionTimeout, DrainTimeout: cfg.DrainTimeout,
		Log: s.log, Status: s.health.Reporter(partTransform),
	}, processor)
}
