// SPDX-License-Identifier: Apache-2.0

// Package stack wires all parts into one process. `make run`, the checker and
// the end-to-end tests use the same wiring.
package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/broker"
	"github.com/hookstream/hookstream/dev/internal/postgres"
	"github.com/hookstream/hookstream/dev/internal/registry"
	"github.com/hookstream/hookstream/ingest"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
	"github.com/hookstream/hookstream/transform"
)

// Options of a Stack. Parts that are not given are embedded.
type Options struct {
	// DataDir keeps the embedded parts' data over restarts; empty keeps
	// nothing.
	DataDir string
	// Brokers, DatabaseURL and RegistryURL name real parts.
	Brokers     []string
	DatabaseURL string
	RegistryURL string
	// Prefix begins the names of all topics and groups, for installations that
	// share brokers.
	Prefix string
	// Address of ingest; KafkaPort and RegistryAddress of the embedded parts.
	// A port of 0 is a free one.
	Address         string
	KafkaPort       int
	RegistryAddress string
	// APIAddress is that of dlq's API, which is not started where it is empty.
	// APIToken is the token of its one caller, who may do everything.
	APIAddress string
	APIToken   string
	// AdminAddresses are where the services answer operators, by the service's
	// name; one that is not given takes a free port.
	AdminAddresses map[string]string
	// DefinitionsDir overrides provider definitions.
	DefinitionsDir string
	// Secrets of the providers, as HOOKSTREAM_SECRETS has them, and SecretsDir a
	// folder of more; empty leaves it to HOOKSTREAM_SECRETS_DIR.
	Secrets    string
	SecretsDir string
	// Unsafe turns the database's fsync off, for tests.
	Unsafe bool
	// Waiting is told what the start waits for, now and then; it may be nil.
	Waiting func(what string)
	Log     *slog.Logger
}

// Stack is a running installation.
type Stack struct {
	opts     Options
	Kafka    kafka.Config
	Database string
	Registry string
	// Group is transform's consumer group, SinkGroup the sink's; TablesSchema
	// holds the sink's entity tables.
	Group        string
	SinkGroup    string
	TablesSchema string

	ingestConfig    ingest.Config
	transformConfig transform.Config
	sinkConfig      sink.Config

	address string
	// apiAddress is dlq's, or "".
	apiAddress string
	// admin addresses of the services by name.
	admin  map[string]string
	client *kgo.Client

	// parts in the order in which they were started.
	parts []part
	fail  chan error
}

// part is something that was started and must be stopped.
type part struct {
	name string
	stop func(context.Context) error
}

// Start brings everything up and returns when every service is ready.
func Start(ctx context.Context, opts Options) (_ *Stack, err error) {
	s := &Stack{opts: opts, admin: map[string]string{}, fail: make(chan error, 4)}
	defer func() {
		if err != nil {
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
			defer cancel()
			err = errors.Join(err, s.Stop(stopCtx))
		}
	}()
	for _, start := range []func(context.Context) error{
		s.lockData, s.startBroker, s.startRegistry, s.startPostgres, s.configure, s.startServices, s.startAPI, s.waitReady,
	} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

const stopTimeout = 30 * time.Second

// Admin asks the broker about topics and groups.
func (s *Stack) Admin() *kadm.Client { return kadm.NewClient(s.client) }

// SinkTopics are those that the sink reads.
func (s *Stack) SinkTopics() []string { return sink.Topics(&s.Kafka) }

// Address is ingest's, host and port.
func (s *Stack) Address() string { return s.address }

// APIAddress is that of dlq's API, host and port, or "" where it does not run.
func (s *Stack) APIAddress() string { return s.apiAddress }

// AdminURL is a service's for operators: /livez, /readyz, and /metrics, which has
// those of all services, for they share the process.
func (s *Stack) AdminURL(service string) string { return "http://" + s.admin[service] }

// Failed gives the error of a service that stopped by itself.
func (s *Stack) Failed() <-chan error { return s.fail }

// Stop drains and stops everything, the edge first and the database last.
func (s *Stack) Stop(ctx context.Context) error {
	var errs []error
	for i := len(s.parts) - 1; i >= 0; i-- {
		if err := s.parts[i].stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", s.parts[i].name, err))
		}
	}
	s.parts = nil
	return errors.Join(errs...)
}

func (s *Stack) started(name string, stop func(context.Context) error) {
	s.parts = append(s.parts, part{name, stop})
}

// data is a folder for one embedded part, or "" for none.
func (s *Stack) data(name string) string {
	if s.opts.DataDir == "" {
		return ""
	}
	return filepath.Join(s.opts.DataDir, name)
}

func (s *Stack) startBroker(context.Context) error {
	if len(s.opts.Brokers) > 0 {
		s.Kafka.Brokers = s.opts.Brokers
		return nil
	}
	b, err := broker.Start(s.data("kafka"), s.opts.KafkaPort)
	if err != nil {
		return err
	}
	s.started("broker", func(context.Context) error { b.Close(); return nil })
	s.Kafka.Brokers = b.Addresses()
	return nil
}

func (s *Stack) startRegistry(ctx context.Context) error {
	if s.opts.RegistryURL != "" {
		s.Registry = s.opts.RegistryURL
		return nil
	}
	file := s.data("registry")
	if file != "" {
		file = filepath.Join(file, "schemas.json")
	}
	r, err := registry.Start(ctx, s.opts.RegistryAddress, file)
	if err != nil {
		return err
	}
	s.started("schema registry", r.Close)
	s.Registry = r.URL()
	return nil
}

func (s *Stack) startPostgres(ctx context.Context) error {
	if s.opts.DatabaseURL != "" {
		s.Database = s.opts.DatabaseURL
		return nil
	}
	server, err := postgres.Start(ctx, postgres.Options{DataDir: s.data("postgres"), NoSync: s.opts.Unsafe, Revive: true, Logger: s.opts.Log})
	if err != nil {
		return err
	}
	s.started("postgres", server.Stop)
	s.Database = server.URL()
	return nil
}

// configure gives the services their defaults, as a start from the environment
// would, with the parts of this stack.
func (s *Stack) configure(context.Context) error {
	if err := errors.Join(sink.Info.Defaults(&s.sinkConfig), transform.Info.Defaults(&s.transformConfig), ingest.Info.Defaults(&s.ingestConfig)); err != nil {
		return err
	}
	brokers := s.Kafka.Brokers
	s.Kafka = s.transformConfig.Kafka
	s.Kafka.Brokers, s.Kafka.Topics = brokers, s.Kafka.Topics.Prefixed(s.opts.Prefix)
	s.sinkConfig.Kafka, s.transformConfig.Kafka, s.ingestConfig.Kafka = s.Kafka, s.Kafka, s.Kafka
	for name, c := range map[string]service.Configured{"sink": &s.sinkConfig, "transform": &s.transformConfig, "ingest": &s.ingestConfig} {
		c.Settings().AdminAddress = cmp.Or(s.opts.AdminAddresses[name], "127.0.0.1:0")
	}
	s.sinkConfig.DatabaseURL = setting.Secret(s.Database)
	s.sinkConfig.Registry.URL = s.Registry
	s.transformConfig.Registry.URL = s.Registry
	s.transformConfig.DefinitionsDir = s.opts.DefinitionsDir
	s.sinkConfig.Group = s.opts.Prefix + s.sinkConfig.Group
	s.transformConfig.Group = s.opts.Prefix + s.transformConfig.Group
	if len(s.opts.Brokers) == 0 {
		// The embedded broker forgets after a kill which transactions it aborted,
		// so each start is another producer. On real Kafka the id is stable.
		s.transformConfig.InstanceID = "embedded-" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	}
	s.ingestConfig.Address = s.opts.Address
	s.ingestConfig.DrainDelay = 0 // no load balancer has to notice
	s.ingestConfig.DefinitionsDir = s.opts.DefinitionsDir
	s.ingestConfig.Secrets = ingest.Secret(s.opts.Secrets)
	s.ingestConfig.SecretsDir = cmp.Or(s.opts.SecretsDir, s.ingestConfig.SecretsDir)
	s.Group, s.SinkGroup, s.TablesSchema = s.transformConfig.Group, s.sinkConfig.Group, s.sinkConfig.TablesSchema

	var err error
	if s.client, err = s.Kafka.NewClient("hookstream-dev", s.opts.Log); err != nil {
		return err
	}
	s.started("client", func(context.Context) error { s.client.Close(); return nil })
	return nil
}

// startServices starts the sink first and ingest last, so that they stop in the
// order of the flow.
func (s *Stack) startServices(ctx context.Context) error {
	sinkService, err := sink.New(s.sinkConfig, s.opts.Log.With("service", "sink")) //nolint:contextcheck // New opens a listener and waits for nothing
	if err != nil {
		return err
	}
	s.run(ctx, "sink", sinkService)
	transformService, err := transform.New(s.transformConfig, s.opts.Log.With("service", "transform")) //nolint:contextcheck // New opens a listener and waits for nothing
	if err != nil {
		return err
	}
	s.run(ctx, "transform", transformService)
	ingestService, err := ingest.New(s.ingestConfig, s.opts.Log.With("service", "ingest")) //nolint:contextcheck // New opens a listener and waits for nothing
	if err != nil {
		return err
	}
	s.run(ctx, "ingest", ingestService)
	s.address = ingestService.Address()
	return nil
}

// run runs a service until its part is stopped.
func (s *Stack) run(ctx context.Context, name string, service interface {
	Run(context.Context) error
	AdminAddress() string
}) {
	s.admin[name] = service.AdminAddress()
	runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := service.Run(runCtx)
		done <- err
		if err != nil {
			s.fail <- fmt.Errorf("%s: %w", name, err)
		}
	}()
	s.started(name, func(ctx context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
