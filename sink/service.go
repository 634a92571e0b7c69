// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/sink/internal/apply"
	"github.com/hookstream/hookstream/sink/internal/attempts"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/admin"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/service"
)

// Service is the sink.
type Service struct {
	cfg    Config
	log    *slog.Logger
	health *admin.Health
	server *admin.Server
	tables []*table.Table
	// client produces dead letters and makes topics; consuming has its own.
	client *kgo.Client
	pool   *pgxpool.Pool
	store  *apply.Store
	// attempts is what is being tried again.
	attempts *attempts.Board
	watch    watchdog
	clock    func() time.Time
}

// The parts that health reports on.
const (
	partTopics   = "topics"
	partDatabase = "database"
	partConsumer = "consumer"
)

// New makes the service and opens its admin listener. It connects to nothing
// yet: what is away at the start is waited for by Run.
func New(cfg Config, log *slog.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, failure.NewFatal("%w", err)
	}
	s := &Service{cfg: cfg, log: log, clock: time.Now, health: admin.NewHealth("sink", partTopics, partDatabase, partConsumer)}
	s.watch = watchdog{service: s, every: watchEvery, renew: watchRenew}
	if err := s.open(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// open makes everything that the service works with.
func (s *Service) open() (err error) {
	cfg, log := &s.cfg, s.log
	if s.tables, err = table.Load(cfg.TablesSchema, cfg.TablesFile); err != nil {
		return err
	}
	ctx := context.Background() // nothing here waits
	if s.pool, err = database.Open(ctx, cfg.DatabaseURL.Reveal(), cfg.PoolSize); err != nil {
		return err
	}
	// A dead letter may be written twice, for it has an id. So its produce
	// may be given up, rather than hold the database's locks.
	if s.client, err = cfg.Kafka.NewClient("sink", log, kgo.AllowIdempotentProduceCancellation()); err != nil {
		return err
	}
	schemas, err := cfg.Registry.Client()
	if err != nil {
		return failure.NewFatal("HOOKSTREAM_REGISTRY_URL: %w", err)
	}
	if s.store, err = apply.New(apply.Config{
		Pool: s.pool, Group: cfg.Group, Topics: cfg.Kafka.Topics, Tables: s.tables,
		TopicIDs: s.topicIDs,
		Schemas:  registry.NewDecoder(schemas),
		Producer: s.client,
		Letters: &deadletter.Writer{
			Stage: record.StageSink, Topic: cfg.Kafka.Topics.DeadLetters, Version: service.Version(), Fits: cfg.Kafka.Fits,
		},
		SynchronousCommit: cfg.SynchronousCommit, DeadLetterAll: cfg.DeadLetterAll, StatementTimeout: cfg.StatementTimeout, Log: log,
	}); err != nil {
		return err
	}
	if s.attempts, err = attempts.NewBoard(); err != nil {
		return err
	}
	s.server, err = admin.Listen(ctx, cfg.AdminAddress, s.health, log)
	s.server.Handle("GET "+attempts.Path, s.attempts)
	return err
}

// AdminAddress is where /livez, /readyz and /metrics are, or "".
func (s *Service) AdminAddress() string { return s.server.Address() }

// Run waits for Kafka and Postgres, makes what is missing in them, and applies
// events until ctx ends. It finishes the batch in hand and returns nil; an
// error is Fatal and says what to do.
func (s *Service) Run(ctx context.Context) error {
	defer s.close()
	return service.Serve(ctx, s.server, s.work)
}

func (s *Service) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	prepared := make(chan struct{})
	g.Go(func() error {
		defer close(prepared)
		return stopped(ctx, s.prepareDatabase(ctx))
	})
	g.Go(func() error { return s.watch.run(ctx, prepared) })
	g.Go(func() error {
		return s.cfg.Kafka.OnTopics(ctx, "sink", s.log, s.health.Reporter(partTopics), func(ctx context.Context) error {
			select {
			case <-prepared:
				return s.consume(ctx)
			case <-ctx.Done():
				return nil
			}
		})
	})
	return g.Wait()
}

// stopped is err, unless that only says that the service was stopped while it
// waited.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && failure.Of(err) != failure.Fatal {
		return nil
	}
	return err
}

func (s *Service) prepareDatabase(ctx context.Context) error {
	s.health.Set(partDatabase, false, migrating)
	err := failure.Retry(ctx, failure.DefaultBackoff, func(ctx context.Context) error {
		now, err := s.now(ctx)
		if err != nil {
			return err
		}
		return s.keeper().Ensure(ctx, now)
	}, func(failures int, _ time.Duration, err error) {
		s.health.Set(partDatabase, false, err.Error())
		s.log.WarnContext(ctx, "waiting for Postgres", "attempt", failures, "error", err)
	})
	if err == nil {
		s.health.Set(partDatabase, true, "")
	}
	return err
}

// topicIDs asks Kafka for the ids of the topics that are consumed.
func (s *Service) topicIDs(ctx context.Context) (map[string]string, error) {
	return s.cfg.Kafka.TopicIDs(ctx, "sink", s.log, Topics(&s.cfg.Kafka)...)
}

func (s *Service) consume(ctx context.Context) error {
	// The client sticks to the topic that it knew, should there be another of its name.
	s.client.PurgeTopicsFromProducing(s.cfg.Kafka.Topics.DeadLetters)
	loop := fenced.New(fenced.Config{
		Kafka: &s.cfg.Kafka, Group: s.cfg.Group, Topics: Topics(&s.cfg.Kafka), ClientID: "sink",
		MaxRecords: s.cfg.MaxRecords, SessionTimeout: s.cfg.SessionTimeout, DrainTimeout: s.cfg.DrainTimeout,
		Log: s.log, Status: s.health.Reporter(partConsumer), Attempts: s.attempts.Note,
	}, s.store)
	s.attempts.Of(loop.Member)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return loop.Run(ctx) })
	g.Go(func() error { return s.upkeep(ctx) })
	return g.Wait()
}

func (s *Service) close() {
	if s.client != nil {
		s.client.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
}
