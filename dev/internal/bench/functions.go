// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// functions is a benchmark of Go functions that lies beside them, because what
// it measures is internal to a module. Each of its lines reports how the two
// sides that it runs in turns compare; every round is a run of it.
type functions struct {
	// dir and pattern are what go test -bench gets.
	dir, pattern string
	// metrics are what is reported, in the units that go test prints; ratio is
	// the metric that compares them with the baseline, where there is one.
	metrics []string
	ratio   string
	// once runs each round a single time, for benchmarks that are long.
	once bool
	// limit is the goal of a line's metric.
	limit func(name, metric string) *Limit
	// charts of all lines.
	charts func([]Measure) []plot.Chart
}

func (f functions) benchmark(name, title, baseline, subject string) Benchmark {
	return Benchmark{Name: name, Title: title, Baseline: baseline, Subject: subject, run: f.run}
}

// mostRounds of what starts all it needs anew each time.
const mostRounds = 3

// fewRounds are the rounds of what takes long to start.
func (r *Run) fewRounds() int {
	if r.Quick {
		return 1
	}
	return min(r.Rounds, mostRounds)
}

// run gives every line of the benchmark a measure, and every round a value.
func (f functions) run(ctx context.Context, r *Run) ([]Measure, error) {
	r.Rounds = r.fewRounds()
	var measures []Measure
	err := r.rounds(ctx, f.pattern, func(ctx context.Context) error {
		out, err := f.test(ctx, r)
		if err != nil {
			return err
		}
		lines, err := parseLines(bytes.NewReader(out))
		if err != nil {
			return err
		}
		for _, l := range lines {
			for _, metric := range f.metrics {
				i := slices.IndexFunc(measures, func(m Measure) bool { return m.Name == l.name && m.Unit == metric })
				if i < 0 {
					i = len(measures)
					measures = append(measures, f.measure(l.name, metric))
				}
				if err := f.add(&measures[i], l); err != nil {
					return err
				}
			}
		}
		return nil
	})
	shorten(measures)
	if err == nil && f.charts != nil {
		r.charts = f.charts(measures)
	}
	return measures, err
}

// shorten leaves out of the names, like Sink/rows=1/new=true, what all have.
func shorten(measures []Measure) {
	shared := func(part string) bool {
		return !slices.ContainsFunc(measures, func(m Measure) bool { return !slices.Contains(strings.Split(m.Name, "/"), part) })
	}
	var names []string
	for i := range measures {
		left := slices.DeleteFunc(strings.Split(measures[i].Name, "/"), shared)
		names = append(names, strings.Join(left, " "))
	}
	for i, name := range names {
		if name != "" {
			measures[i].Name = name
		}
	}
}

func (f functions) test(ctx context.Context, r *Run) ([]byte, error) {
	benchtime := r.Turn.String()
	if f.once {
		benchtime = "1x"
	}
	args := []string{"test", "-run", "^$", "-bench", f.pattern, "-benchtime", benchtime, "-timeout", "30m"}
	if r.Quick {
		args = append(args, "-short")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, f.dir)...)
	if r.Full {
		cmd.Env = append(os.Environ(), "HOOKSTREAM_BENCH_FULL=1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return out, nil
}

func (f functions) measure(name, metric string) Measure {
	m := Measure{Name: name, Unit: metric, By: Ratio}
	if f.ratio == "" {
		m.By = Absolute
	}
	if f.limit != nil {
		m.Limit = f.limit(name, metric)
	}
	return m
}

// add takes a line into its measure.
func (f functions) add(m *Measure, l line) error {
	value, ok := l.metrics[m.Unit]
	if !ok {
		return fmt.Errorf("%s: the line of %s has no %s", f.dir, l.name, m.Unit)
	}
	if f.ratio == "" {
		m.Subject = append(m.Subject, value)
		return nil
	}
	ratio, ok := l.metrics[f.ratio]
	if !ok {
		return fmt.Errorf("%s: the line of %s has no %s", f.dir, l.name, f.ratio)
	}
	m.add(value/ratio, value)
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
