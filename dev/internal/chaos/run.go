// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/journeys"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/transform"
)

// Options of a run.
type Options struct {
	Seed   uint64
	Kills  int
	Events int
	// Rate of webhooks, a second.
	Rate float64
	// Brokers is 1 or 3.
	Brokers int
	// Faults replaces the schedule that the seed would draw.
	Faults []Fault
	// Outage is how long a part that is stopped, cut or slowed stays so.
	Outage time.Duration
	// Sabotage makes the services wrong on purpose.
	Sabotage crash.Bug
	// Root of the repository, to build the services from; Dir for data, logs
	// and programs.
	Root, Dir string
	Log       *slog.Logger
	// Progress is told what happens, in a line.
	Progress func(string)
}

// Report is the checker's verdict and what the run did.
type Report struct {
	*check.Report
	Faults map[kind]int `json:"faults"`
	Kills  int          `json:"kills"`
	// Holds are the times that a definition was broken.
	Holds       []Hold `json:"holds,omitempty"`
	ZombieWrite int    `json:"zombie_writes"`
	// Recovery from a fault to the first webhook received after it whose row
	// is there, in seconds.
	RecoveryP50 float64 `json:"recovery_p50_seconds"`
	RecoveryP99 float64 `json:"recovery_p99_seconds"`
	RecoveryMax float64 `json:"recovery_max_seconds"`
	// Journeys of every kind that were reconstructed afterwards.
	Journeys []journeys.Kind `json:"journeys"`
}

// OK reports whether every promise held, and enough journeys were followed to say so.
func (r *Report) OK() bool {
	return r.Report.OK() && r.ZombieWrite == 0 && r.Gaps() == 0 && len(r.Missing()) == 0
}

// Missing says of which kinds too few journeys were followed.
func (r *Report) Missing() []string { return journeys.Missing(r.Journeys, journeysOfAKind) }

// Gaps counts the journeys that could not be reconstructed in full.
func (r *Report) Gaps() int {
	n := 0
	for _, k := range r.Journeys {
		n += len(k.Gaps)
	}
	return n
}

func defaults() (kafka.Config, error) {
	var cfg transform.Config
	err := transform.Info.Defaults(&cfg)
	return cfg.Kafka, err
}

// Run does all of it: install, launch, load and faults at once, drain, judge.
func Run(ctx context.Context, o Options) (_ *Report, err error) {
	o.Progress("building the services with their crash points")
	programs, err := build(ctx, o.Root, o.Dir)
	if err != nil {
		return nil, err
	}
	logFile, err := os.Create(filepath.Join(o.Dir, "services.log"))
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	o.Progress("starting Kafka, Postgres and the schema registry")
	in, err := install(ctx, o.Dir, o.Brokers, o.Log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.stop(context.WithoutCancel(ctx))) }()
	r := &run{Options: o, in: in, programs: programs, struck: map[kind]int{}}
	if r.definitions, err = newDefinitions(o.Root, o.Dir); err != nil {
		return nil, err
	}
	if err := r.launch(ctx, logFile); err != nil {
		return nil, err
	}
	return r.run(ctx)
}

// run is one run under way.
type run struct {
	Options
	in          *installation
	fleet       *fleet
	programs    map[string]string
	env         []string
	plan        *workload.Plan
	definitions *definitions

	mu       sync.Mutex
	outcomes []workload.Outcome

	struck     map[kind]int
	kills      int
	recoveries []time.Duration
}

func (r *run) launch(ctx context.Context, log io.Writer) error {
	replication := r.Brokers
	r.env = environment(r.in.bootstrap(), replication, r.in.registryURL(), r.in.databaseURL())
	r.env = append(r.env, crash.SabotageVariable+"="+string(r.Sabotage), "HOOKSTREAM_DEFINITIONS_DIR="+r.definitions.dir)
	r.Progress("launching the services")
	var err error
	if r.fleet, err = launch(r.Dir, r.programs, r.env, log); err != nil {
		return err
	}
	// The sink makes the table that the audit watches.
	for {
		if err = installAudit(ctx, r.in.pg.URL()); err == nil {
			return nil
		}
		if failure.Sleep(ctx, 200*time.Millisecond) != nil {
			return errors.Join(err, r.fleet.stop())
		}
	}
}

func (r *run) run(ctx context.Context) (_ *Report, err error) {
	started := time.Now()
	schedule := r.Faults
	if schedule == nil {
		schedule = Schedule(r.Seed, r.Kills, r.Brokers)
	}
	// More goes wrong than on an unfriendly day, so that there are journeys of
	// every kind to follow.
	mix := workload.Mix{Duplicates: 20, Poison: 10, Conflicts: 3, Reorder: 40}
	// Enough for all faults, whatever they take; what is not sent is not judged.
	most := max(r.Events, int(r.Rate*float64(len(schedule))*20))
	r.plan = workload.NewPlan(r.Seed, most, workload.Run(started), started, mix)
	r.plan.Broken = brokenProvider

	g, gctx := errgroup.WithContext(ctx)
	faulty, over := context.WithCancel(gctx)
	g.Go(func() error { return r.load(gctx, faulty) })
	g.Go(func() error { defer over(); return r.inject(gctx, schedule) })
	if err := g.Wait(); err != nil {
		return nil, errors.Join(err, r.fleet.stop())
	}
	report, err := r.conclude(ctx)
	if err = errors.Join(err, r.fleet.stop()); err != nil {
		return nil, err
	}
	report.Seconds = time.Since(started).Seconds()
	return report, nil
}

// load sends the plan at the rate, at least Events webhooks and until the faults
// are over.
func (r *run) load(ctx, faulty context.Context) error {
	sender := workload.Sender{URLs: r.fleet.urls, Connections: 32, Retries: 1000}
	enough := func(sent int) bool { return sent >= r.Events && faulty.Err() != nil }
	return sender.Steady(ctx, r.plan.Phases[0], r.Rate, enough, r.answered)
}

// drainTimeout bounds how long the pipeline may take to catch up in the end.
const drainTimeout = 5 * time.Minute

// conclude sends what must come last, judges, and follows journeys.
func (r *run) conclude(ctx context.Context) (*Report, error) {
	if err := r.sendLate(ctx); err != nil {
		return nil, err
	}
	cfg, err := r.in.direct()
	if err != nil {
		return nil, err
	}
	if err := r.replayEarly(ctx, cfg); err != nil {
		return nil, err
	}
	report, err := r.judge(ctx, cfg)
	if err != nil {
		return nil, err
	}
	report.Journeys, err = r.follow(ctx, cfg)
	return report, err
}

// replayEarly sends again what a broken definition made dead letters of before the
// breaker opened, as an operator does once it is mended.
func (r *run) replayEarly(ctx context.Context, cfg kafka.Config) error {
	if len(r.definitions.holds) == 0 {
		return nil
	}
	x := journeys.Installation{Kafka: cfg, DatabaseURL: r.in.pg.URL(), Programs: r.Dir, Env: r.env, Log: r.Log}
	args := []string{"replay", "--reason", "mapping_failed", "--provider", brokenProvider, "--yes", "--wait"}
	if out, code, err := x.Run(ctx, "dlq", args...); err != nil || code != 0 && code != 3 {
		return fmt.Errorf("dlq %q: exit code %d, %w\n%s", args, code, err, out)
	}
	return nil
}

// sendLate sends the conflicts: which of two is the first is only known once the
// faults, which keep no order, are over.
func (r *run) sendLate(ctx context.Context) error {
	accepted := map[string]bool{}
	for _, out := range r.outcomes {
		accepted[out.Event.Identity()] = true
	}
	late := slices.DeleteFunc(r.plan.Phases[1], func(e *workload.Event) bool { return !accepted[e.Identity()] })
	sender := workload.Sender{URLs: r.fleet.urls, Connections: 32, Retries: 1000}
	return sender.Phase(ctx, late, r.answered)
}

func (r *run) answered(out workload.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, out)
}

// journeysOfAKind is how many journeys of each kind are followed, where the run has as
// many.
const journeysOfAKind = 20

// follow has some events published again, mends and discards some dead letters, as an
// operator does, and reconstructs journeys of every kind.
func (r *run) follow(ctx context.Context, cfg kafka.Config) ([]journeys.Kind, error) {
	r.Progress("following journeys")
	x := journeys.Installation{Kafka: cfg, DatabaseURL: r.in.pg.URL(), Programs: r.Dir, Env: r.env, Log: r.Log}
	publish, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := x.PublishAgain(publish, cfg.Topics.Events("customer"), 2*journeysOfAKind); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"replay", "--reason", "mapping_failed", "--patch", ".data.object.amount = 4200", "--yes", "--wait"},
		{"replay", "--reason", "invalid_value", "--limit", strconv.Itoa(journeysOfAKind), "--yes", "--wait"},
		{"discard", "--reason", "missing_identity", "--why", "the provider sent no id", "--yes"},
	} {
		// Code 3 says that some failed again, which is another kind of journey.
		if out, code, err := x.Run(ctx, "dlq", args...); err != nil || code != 0 && code != 3 {
			return nil, fmt.Errorf("dlq %q: exit code %d, %w\n%s", args, code, err, out)
		}
	}
	return x.Survey(ctx, journeysOfAKind)
}

func (r *run) judge(ctx context.Context, cfg kafka.Config) (*Report, error) {
	t := check.Target{Kafka: cfg, RegistryURL: r.in.reg.URL(), DatabaseURL: r.in.pg.URL(), Schema: "webhooks", Log: r.Log}
	drain, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := t.WaitDrained(drain, r.plan, "hookstream-transform", func(raw, events int64) {
		r.Progress(fmt.Sprintf("draining: %d raw records to go, %d events", raw, max(0, events)))
	}); err != nil {
		return nil, err
	}
	r.Progress("comparing")
	seen, err := t.Collect(ctx, r.plan)
	if err != nil {
		return nil, err
	}
	report := &Report{Report: check.Judge(r.plan, r.outcomes, seen), Faults: r.struck, Kills: r.kills, Holds: r.definitions.holds}
	report.Seed = r.Seed
	if report.ZombieWrite, err = zombieWrites(ctx, r.in.pg.URL()); err != nil {
		return nil, err
	}
	report.recovery(r.recoveries)
	return report, nil
}

func (r *Report) recovery(times []time.Duration) {
	if len(times) == 0 {
		return
	}
	slices.Sort(times)
	at := func(q float64) float64 { return times[int(q*float64(len(times)-1))].Seconds() }
	r.RecoveryP50, r.RecoveryP99, r.RecoveryMax = at(.5), at(.99), at(1)
}
