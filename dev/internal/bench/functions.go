// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// functions is a benchmark of Go functions that lies beside them, because what
// it measures is internal to a module. Each of its lines reports how the two
// sides that it runs in turns compare; every round is a run of it.
type functions struct {
	// dir and pattern are what go test -bench gets.
	dir, pattern string
	// ratio is the metric that compares; subject, where there is one, is the
	// metric of our side in that unit.
	ratio, subject string
	// once runs each round a single time, for benchmarks that are long.
	once  bool
	limit func(name string) *Limit
}

var mappingCPU = functions{
	dir: "./schemas/mapping", pattern: "^BenchmarkEvent$", ratio: "of-encoding-json", subject: "ns/event",
	limit: func(string) *Limit { return atMost(0.60) },
}.benchmark("mapping", "CPU of one event: record, identity, mapping, digest, Avro and headers", "encoding/json", "an event")

var sinkRows = functions{
	dir: "./sink/internal/apply", pattern: "^BenchmarkSink$/^synchronous_commit=false$/.*/^half_there=false$", ratio: "ratio", subject: "rows/s",
	limit: func(name string) *Limit {
		if strings.Contains(name, "rows=100/") {
			return atLeast(0.90)
		}
		return atLeast(0.75)
	},
}.benchmark("sink", "rows and their ledger into Postgres, fsync on", "COPY", "sink")

var replayed = functions{
	dir: "./dlq", pattern: "^BenchmarkReplay$", ratio: "ratio", once: true,
	limit: func(string) *Limit { return atLeast(0.50) },
}.benchmark("replay", "dead letters and their resolutions in transactions", "plain produce", "replay")

// The restore and the memory of deduplication have fixed goals.
const (
	restoreGoal = 5  // million entries a second
	memoryGoal  = 30 // bytes an entry
)

var dedupRestore = functions{
	dir: "./transform/internal/dedup", pattern: "^BenchmarkRestore$", ratio: "Mentries/s", once: true,
	limit: func(string) *Limit { return atLeast(restoreGoal) },
}.benchmark("restore", "10 million events from the changelog's bytes, in millions a second", "-", "restore")

var dedupMemory = functions{
	dir: "./transform/internal/dedup", pattern: "^BenchmarkRestoreFromKafka$", ratio: "bytes/entry", once: true,
	limit: func(string) *Limit { return atMost(memoryGoal) },
}.benchmark("memory", "bytes that an event takes in deduplication, 10 million restored from Kafka", "-", "entry")

func (f functions) benchmark(name, title, baseline, subject string) Benchmark {
	return Benchmark{Name: name, Title: title, Baseline: baseline, Subject: subject, run: f.run}
}

// run gives every line of the benchmark a measure, and every round a value.
func (f functions) run(ctx context.Context, r *Run) ([]Measure, error) {
	var measures []Measure
	err := r.rounds(ctx, f.pattern, func(ctx context.Context) error {
		out, err := f.test(ctx, r.Turn)
		if err != nil {
			return err
		}
		lines, err := parseLines(bytes.NewReader(out))
		if err != nil {
			return err
		}
		for i, l := range lines {
			if i == len(measures) {
				measures = append(measures, f.measure(l.name))
			}
			if err := f.add(&measures[i], l); err != nil {
				return err
			}
		}
		return nil
	})
	return measures, err
}

func (f functions) test(ctx context.Context, turn time.Duration) ([]byte, error) {
	benchtime := turn.String()
	if f.once {
		benchtime = "1x"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", f.pattern, "-benchtime", benchtime, "-timeout", "30m", f.dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return out, nil
}

func (f functions) measure(name string) Measure {
	m := Measure{Name: name, Unit: f.subject, By: Ratio, Limit: f.limit(name)}
	if f.subject == "" {
		m.Unit = f.ratio
	}
	return m
}

// add takes a line into its measure. What only has a ratio is compared with 1.
func (f functions) add(m *Measure, l line) error {
	ratio, ok := l.metrics[f.ratio]
	if !ok || l.name != m.Name {
		return fmt.Errorf("%s: a line of %s without %s", f.dir, l.name, f.ratio)
	}
	if f.subject == "" {
		m.add(1, ratio)
		return nil
	}
	m.add(l.metrics[f.subject]/ratio, l.metrics[f.subject])
	return nil
}

// line is one line of go test -bench.
type line struct {
	name    string
	metrics map[string]float64
}

// parseLines reads the format of golang.org/design/14313-benchmark-format.
func parseLines(r io.Reader) ([]line, error) {
	var lines []line
	for s := bufio.NewScanner(r); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		l := line{name: withoutProcs(strings.TrimPrefix(fields[0], "Benchmark")), metrics: map[string]float64{}}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("benchmark line %q: %w", s.Text(), err)
			}
			l.metrics[fields[i+1]] = v
		}
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("the benchmark printed no line")
	}
	return lines, nil
}

// withoutProcs cuts off the number of processors, which go test appends.
func withoutProcs(name string) string {
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}
