// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

// footprint is what the services take, as they are shipped.
var footprint = Benchmark{
	Name:    "footprint",
	Title:   fmt.Sprintf("what the services take, idle and at %d webhooks a second", steadyRate),
	Subject: "service", pass: passFootprint,
}

// loadTurns of a service are measured, after as many that fill its heap: it is
// collected for the first time after some seconds.
const loadTurns = 3

// passFootprint starts all services anew in every round.
func passFootprint(ctx context.Context, r *Run) error {
	return r.rounds(ctx, "start, idle and under load", func(ctx context.Context) (err error) {
		b, err := startPipeline(ctx, r)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.stop(ctx)) }()
		return b.footprint(ctx)
	})
}

func (b *pipelineBench) footprint(ctx context.Context) error {
	idle, err := b.snapshots(ctx)
	if err != nil {
		return err
	}
	if _, err := b.turn(ctx, steadyRate, loadTurns*b.Turn); err != nil {
		return err
	}
	before, err := b.snapshots(ctx)
	if err != nil {
		return err
	}
	wal, err := b.walWritten(ctx)
	if err != nil {
		return err
	}
	f, err := b.turn(ctx, steadyRate, loadTurns*b.Turn)
	if err != nil {
		return err
	}
	after, err := b.snapshots(ctx)
	if err != nil {
		return err
	}
	written, err := b.walWritten(ctx)
	if err != nil {
		return err
	}
	events, cpu := float64(f.requests), 0.0
	for _, name := range services {
		b.footprintOf(name, idle[name], before[name], after[name], events)
		cpu += after[name].metrics[cpuMetric] - before[name].metrics[cpuMetric]
	}
	b.measure(absolute("all three: CPU of a million events", "core-s", nil)).take(1e6 * cpu / events)
	b.measure(absolute("postgres: WAL an event", "bytes", nil)).take((written - wal) / events)
	return nil
}

// cpuMetric is the CPU that a service has used, in seconds.
const cpuMetric = "process_cpu_seconds_total"

// snapshot is what a service uses at a time.
type snapshot struct {
	// resident and peak are in MB.
	resident, peak float64
	metrics        map[string]float64
}

func (b *pipelineBench) snapshots(ctx context.Context) (map[string]snapshot, error) {
	out := map[string]snapshot{}
	for name, p := range b.programs {
		m, err := p.metrics(ctx)
		if err != nil {
			return nil, err
		}
		resident, peak := memory(p.cmd.Process.Pid)
		out[name] = snapshot{resident: resident, peak: peak, metrics: m}
	}
	return out, nil
}

// memory is what a process holds now and has held at most, in MB, where Linux
// tells it.
func memory(pid int) (resident, peak float64) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // elsewhere there is none
	field := func(name string) (kb float64) {
		if _, after, ok := strings.Cut(string(status), name+":"); ok {
			_, _ = fmt.Sscan(after, &kb)
		}
		return kb / 1024
	}
	return field("VmRSS"), field("VmHWM")
}

func (b *pipelineBench) footprintOf(name string, idle, before, after snapshot, events float64) {
	p := b.programs[name]
	per := func(metric string) float64 { return (after.metrics[metric] - before.metrics[metric]) / events }
	take := func(what, unit string, value float64) {
		b.measure(absolute(name+": "+what, unit, nil)).take(value)
	}
	take("program", "MB", float64(p.size)/(1<<20))
	take("start until ready", "ms", float64(p.ready.Milliseconds()))
	take("resident, idle", "MB", idle.resident)
	take("resident peak, under load", "MB", after.peak)
	take("goroutines", "", after.metrics["go_goroutines"])
	take("allocations an event", "", per("go_memstats_mallocs_total"))
	take("allocated an event", "bytes", per("go_memstats_alloc_bytes_total"))
	take("CPU an event", "µs", 1e6*per(cpuMetric))
}

// walWritten is how many bytes of log Postgres has written.
func (b *pipelineBench) walWritten(ctx context.Context) (bytes float64, err error) {
	conn, err := pgx.Connect(ctx, b.postgres.URL())
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8").Scan(&bytes)
	return bytes, err
}
