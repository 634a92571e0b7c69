// SPDX-License-Identifier: Apache-2.0

// Package realparts finds a real Kafka and a real Postgres for tests, wherever they
// run: the ones that the environment names, else containers where Docker is, else
// what the machine can start by itself.
package realparts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/testcontainers/testcontainers-go"

	"github.com/hookstream/hookstream/dev/internal/kafkacluster"
	"github.com/hookstream/hookstream/dev/internal/postgres"
)

// Variables that name parts. The tests of all modules read them.
const (
	BrokersVariable  = "HOOKSTREAM_TEST_BROKERS"
	DatabaseVariable = "HOOKSTREAM_TEST_DATABASE_URL"
)

// Parts are a broker and a database, and how to stop what was started for them.
type Parts struct {
	Brokers  []string
	Database string
	stops    []func(context.Context) error
}

// Start finds or starts both. Dir holds the data of what is started here.
func Start(ctx context.Context, dir string, brokers int, log *slog.Logger) (_ *Parts, err error) {
	p := &Parts{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop(context.WithoutCancel(ctx)))
		}
	}()
	docker := dockerIsHere(ctx)
	if err := p.kafka(ctx, dir, brokers, docker, log); err != nil {
		return nil, err
	}
	return p, p.postgres(ctx, dir, docker, log)
}

func (p *Parts) kafka(ctx context.Context, dir string, brokers int, docker bool, log *slog.Logger) error {
	if given := os.Getenv(BrokersVariable); given != "" {
		p.Brokers = strings.Split(given, ",")
		return nil
	}
	if docker && brokers == 1 {
		return p.kafkaContainer(ctx)
	}
	cluster, err := kafkacluster.Start(ctx, kafkacluster.Options{Brokers: brokers, DataDir: filepath.Join(dir, "kafka"), Log: log})
	if err != nil {
		return err
	}
	p.stops = append(p.stops, cluster.Stop)
	p.Brokers = cluster.Addresses()
	return nil
}

func (p *Parts) postgres(ctx context.Context, dir string, docker bool, log *slog.Logger) error {
	if p.Database = os.Getenv(DatabaseVariable); p.Database != "" {
		return nil
	}
	server, err := postgres.Start(ctx, postgres.Options{DataDir: filepath.Join(dir, "postgres"), NoSync: true, Logger: log})
	if errors.Is(err, postgres.ErrNoBinaries) && docker {
		return p.postgresContainer(ctx)
	}
	if err != nil {
		return err
	}
	p.stops = append(p.stops, server.Stop)
	p.Database = server.URL()
	return nil
}

// Environment is the process's, with the variables that name the parts.
func (p *Parts) Environment() []string {
	return append(os.Environ(), BrokersVariable+"="+strings.Join(p.Brokers, ","), DatabaseVariable+"="+p.Database)
}

// Stop stops what was started, and nothing else.
func (p *Parts) Stop(ctx context.Context) error {
	var errs []error
	for _, stop := range p.stops {
		errs = append(errs, stop(ctx))
	}
	p.stops = nil
	return errors.Join(errs...)
}

// dockerIsHere asks whether a Docker engine answers. The library panics where
// it finds no way to one.
func dockerIsHere(ctx context.Context) (ok bool) {
	defer func() { ok = recover() == nil && ok }()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return false
	}
	defer provider.Close()
	return provider.Health(ctx) == nil
}

// String says where the parts are.
func (p *Parts) String() string {
	return fmt.Sprintf("Kafka at %s, Postgres at %s", strings.Join(p.Brokers, ","), p.Database)
}
