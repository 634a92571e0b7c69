// SPDX-License-Identifier: Apache-2.0

// Package outage stops Postgres while webhooks arrive. What is promised: the edge
// goes on to take them, no dead letter comes of it, and afterwards the sink catches
// up faster than they come.
package outage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/dev/internal/bridge"
	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/postgres"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/failure"
)

// Options of a run.
type Options struct {
	// Brokers of a real Kafka, and the Prefix of the run's names on it; without
	// any the broker is embedded.
	Brokers []string
	Prefix  string
	// Seed that the webhooks are drawn from, and their Rate, a second.
	Seed uint64
	Rate float64
	// Before is how long all goes well, and Outage how long the database is
	// away.
	Before, Outage time.Duration
	// Dir keeps the database over the outage. Others must be able to reach it:
	// as root, Postgres runs as its own user.
	Dir string
	Log *slog.Logger
	// Progress is told what happens, in a line.
	Progress func(string)
}

// patience bounds how long the pipeline may take to catch up.
const patience = 10 * time.Minute

// Run starts an installation, sends webhooks without a pause, stops the database
// and starts it again, and looks what came of it.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	r := &run{Options: o}
	defer func() { err = errors.Join(err, r.stop(context.WithoutCancel(ctx))) }()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Before+o.Outage+patience, fmt.Errorf("not caught up within %s", patience))
	defer cancel()
	g, gctx := errgroup.WithContext(ctx)
	caughtUp := make(chan struct{})
	g.Go(func() error { return r.load(gctx, caughtUp) })
	g.Go(func() error { defer close(caughtUp); return r.interrupt(gctx) })
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	return r.report(ctx)
}

// run is one run under way.
type run struct {
	Options
	pg     *postgres.Server
	bridge *bridge.Bridge
	stack  *stack.Stack
	plan   *workload.Plan

	mu       sync.Mutex
	outcomes []workload.Outcome

	// away and back are when the database stopped and when it answered again.
	away, back time.Time
}

func (r *run) start(ctx context.Context) (err error) {
	r.Progress("starting everything")
	r.draw()
	if r.bridge, err = bridge.New(); err != nil {
		return err
	}
	if err := r.startPostgres(ctx); err != nil {
		return err
	}
	r.stack, err = stack.Start(ctx, stack.Options{
		Brokers: r.Brokers, Prefix: r.Prefix, DatabaseURL: "postgres://hookstream@" + r.bridge.Address() + "/hookstream?sslmode=disable",
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Secrets: workload.SecretList(), Log: r.Log,
	})
	return err
}

func (r *run) startPostgres(ctx context.Context) (err error) {
	if r.pg, err = postgres.Start(ctx, postgres.Options{DataDir: r.Dir, Logger: r.Log}); err != nil {
		return err
	}
	return r.bridge.Lead(r.pg.URL())
}

func (r *run) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var errs []error
	if r.stack != nil {
		errs = append(errs, r.stack.Stop(ctx))
	}
	if r.pg != nil {
		errs = append(errs, r.pg.Stop(ctx))
	}
	r.bridge.Close()
	return errors.Join(errs...)
}

// draw makes good webhooks and their duplicates, enough for a sink that catches up.
// There is no poison among them, so that every dead letter is one too many.
func (r *run) draw() {
	now := time.Now()
	most := int(r.Rate * (r.Before + 2*r.Outage + 30*time.Second).Seconds())
	r.plan = workload.NewPlan(r.Seed, most, workload.Run(now), now, workload.Mix{Duplicates: 20, Reorder: 40})
}

// load sends them until the sink has caught up.
func (r *run) load(ctx context.Context, caughtUp <-chan struct{}) error {
	sender := workload.Sender{URLs: []string{"http://" + r.stack.Address()}, Connections: 32, Retries: 20}
	enough := func(int) bool {
		select {
		case <-caughtUp:
			return true
		default:
			return false
		}
	}
	return sender.Steady(ctx, r.plan.Phases[0], r.Rate, enough, func(out workload.Outcome) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.outcomes = append(r.outcomes, out)
	})
}

// interrupt takes the database away and waits until every webhook that was
// accepted meanwhile is in the ledger.
func (r *run) interrupt(ctx context.Context) error {
	r.Progress(fmt.Sprintf("%g webhooks a second, for %s", r.Rate, r.Before))
	if err := failure.Sleep(ctx, r.Before); err != nil {
		return err
	}
	r.Progress(fmt.Sprintf("Postgres is stopped, for %s", r.Outage))
	r.away = time.Now()
	if err := r.pg.Stop(ctx); err != nil {
		return err
	}
	if err := failure.Sleep(ctx, r.Outage); err != nil {
		return err
	}
	if err := r.startPostgres(ctx); err != nil {
		return err
	}
	r.back = time.Now()
	accepted := r.accepted()
	r.Progress(fmt.Sprintf("Postgres is back; %d events were accepted until now", len(accepted)))
	return r.awaitApplied(ctx, accepted)
}

// accepted are the ids of the events that were accepted until now.
func (r *run) accepted() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := map[string]bool{}
	var ids []string
	for _, out := range r.outcomes {
		if id := out.Event.ID; out.Accepted > 0 && !known[id] {
			known[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// report waits for the rest and compares everything.
func (r *run) report(ctx context.Context) (*Report, error) {
	r.Progress("comparing")
	target := check.Target{
		Kafka: r.stack.Kafka, RegistryURL: r.stack.Registry, DatabaseURL: r.pg.URL(), Schema: r.stack.TablesSchema, Log: r.Log,
	}
	if err := target.WaitDrained(ctx, r.plan, r.stack.Group, nil); err != nil {
		return nil, err
	}
	seen, err := target.Collect(ctx, r.plan)
	if err != nil {
		return nil, err
	}
	report := &Report{Report: check.Judge(r.plan, r.outcomes, seen), OutageSeconds: r.back.Sub(r.away).Seconds()}
	report.Seed = r.Seed
	return report, r.measure(ctx, report)
}
