// SPDX-License-Identifier: Apache-2.0

// Package chaos kills, pauses, cuts and restarts the parts of an installation
// while webhooks arrive, and lets the checker judge what came out. Every service
// is a process of its own; the broker is Apache Kafka.
package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bridge"
	"github.com/hookstream/hookstream/dev/internal/kafkacluster"
	"github.com/hookstream/hookstream/dev/internal/postgres"
	"github.com/hookstream/hookstream/dev/internal/registry"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// installation is everything but the services: brokers, registry and database,
// each behind a link that can be cut.
type installation struct {
	dir     string
	log     *slog.Logger
	cluster *kafkacluster.Cluster
	pg      *postgres.Server
	reg     *registry.Registry
	bridge  *bridge.Bridge
	links   map[string]*link
}

func install(ctx context.Context, dir string, brokers int, log *slog.Logger) (_ *installation, err error) {
	in := &installation{dir: dir, log: log, links: map[string]*link{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.stop(context.WithoutCancel(ctx)))
		}
	}()
	if in.cluster, err = kafkacluster.Start(ctx, kafkacluster.Options{Brokers: brokers, DataDir: filepath.Join(dir, "kafka"), Log: log}); err != nil {
		return in, err
	}
	for i, route := range in.cluster.Routes() {
		if err := in.link(fmt.Sprintf("kafka-%d", i), route.Listen, route.Upstream); err != nil {
			return in, err
		}
	}
	if in.reg, err = registry.Start(ctx, "127.0.0.1:0", ""); err != nil {
		return in, err
	}
	if in.bridge, err = bridge.New(); err != nil {
		return in, err
	}
	if err := in.startPostgres(ctx); err != nil {
		return in, err
	}
	for name, upstream := range map[string]string{
		"registry": strings.TrimPrefix(in.reg.URL(), "http://"),
		"postgres": in.bridge.Address(),
	} {
		if err := in.link(name, "127.0.0.1:0", upstream); err != nil {
			return in, err
		}
	}
	return in, nil
}

func (in *installation) link(name, listen, upstream string) error {
	l, err := newLink(name, listen, upstream)
	if err == nil {
		in.links[name] = l
	}
	return err
}

func (in *installation) startPostgres(ctx context.Context) (err error) {
	if in.pg, err = postgres.Start(ctx, postgres.Options{DataDir: filepath.Join(in.dir, "postgres"), Logger: in.log}); err != nil {
		return err
	}
	return in.bridge.Lead(in.pg.URL())
}

// bootstrap is where the services find the brokers: at the links.
func (in *installation) bootstrap() []string {
	var addresses []string
	for _, route := range in.cluster.Routes() {
		addresses = append(addresses, route.Listen)
	}
	return addresses
}

func (in *installation) databaseURL() string {
	return "postgres://hookstream@" + in.links["postgres"].address() + "/hookstream?sslmode=disable"
}

func (in *installation) registryURL() string { return "http://" + in.links["registry"].address() }

// direct is the way past all links, for the checker.
func (in *installation) direct() (kafka.Config, error) {
	cfg, err := defaults()
	cfg.Brokers = in.cluster.Addresses()
	return cfg, err
}

// restartPostgres stops the database for a while.
func (in *installation) restartPostgres(ctx context.Context, outage time.Duration) error {
	stopCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := in.pg.Stop(stopCtx); err != nil {
		return err
	}
	if err := failure.Sleep(ctx, outage); err != nil {
		return err
	}
	return in.startPostgres(ctx)
}

func (in *installation) stop(ctx context.Context) error {
	var errs []error
	for _, l := range in.links {
		l.cut()
	}
	if in.bridge != nil {
		in.bridge.Close()
	}
	if in.reg != nil {
		errs = append(errs, in.reg.Close(ctx))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if in.pg != nil {
		errs = append(errs, in.pg.Stop(ctx))
	}
	if in.cluster != nil {
		errs = append(errs, in.cluster.Stop(ctx))
	}
	return errors.Join(errs...)
}
