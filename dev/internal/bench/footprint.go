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
	Subject: "service", run: runFootprint,
}

func runFootprint(ctx context.Context, r *Run) (_ []Measure, err error) {
	b, err := startPipeline(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop(ctx)) }()
	idle, err := b.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := b.turn(ctx, steadyRate, b.Turn); err != nil { // the first batches fill pools and caches
		return nil, err
	}
	before, err := b.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	wal, err := b.walWritten(ctx)
	if err != nil {
		return nil, err
	}
	b.progress("under load")
	f, err := b.turn(ctx, steadyRate, b.Turn)
	if err != nil {
		return nil, err
	}
	after, err := b.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	written, err := b.walWritten(ctx)
	if err != nil {
		return nil, err
	}
	var measures []Measure
	events, cpu := float64(f.requests), 0.0
	for _, name := range services {
		measures = append(measures, b.footprintOf(name, idle[name], before[name], after[name], events)...)
		cpu += after[name].metrics[cpuMetric] - before[name].metrics[cpuMetric]
	}
	return append(measures,
		absolute("all three: CPU of a million events", "core-s", nil, 1e6*cpu/events),
		absolute("postgres: WAL an event", "bytes", nil, (written-wal)/events)), nil
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

func (b *pipelineBench) footprintOf(name string, idle, before, after snapshot, events float64) []Measure {
	p := b.programs[name]
	per := func(metric string) float64 { return (after.metrics[metric] - before.metrics[metric]) / events }
	return []Measure{
		absolute(name+": program", "MB", nil, float64(p.size)/(1<<20)),
		absolute(name+": start until ready", "ms", nil, float64(p.ready.Milliseconds())),
		absolute(name+": resident, idle", "MB", nil, idle.resident),
		absolute(name+": resident peak, under load", "MB", nil, after.peak),
		absolute(name+": goroutines", "", nil, after.metrics["go_goroutines"]),
		absolute(name+": allocations an event", "", nil, per("go_memstats_mallocs_total")),
		absolute(name+": allocated an event", "bytes", nil, per("go_memstats_alloc_bytes_total")),
		absolute(name+": CPU an event", "µs", nil, 1e6*per(cpuMetric)),
	}
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
