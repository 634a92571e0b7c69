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
	"regexp"
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
	// times is how often a line's function runs in a round; 0 means for half of a
	// turn, as both sides are in it.
	times int
	// dear is what takes long to prepare: it runs once a pass, and repeats its
	// lines.
	dear bool
	// limit is the goal of a line's metric.
	limit func(name, metric string) *Limit
	// charts of all lines.
	charts func([]*Measure) []plot.Chart
}

func (f functions) benchmark(name, title, baseline, subject string) Benchmark {
	b := Benchmark{Name: name, Title: title, Baseline: baseline, Subject: subject, pass: f.pass}
	if f.charts != nil {
		b.charts = func(r *Run) []plot.Chart { return f.charts(r.measures) }
	}
	return b
}

// pass gives every line of the benchmark a measure, and every round a value.
func (f functions) pass(ctx context.Context, r *Run) error {
	binary, err := r.built.tests(ctx, f.dir)
	if err != nil {
		return err
	}
	round := func(ctx context.Context) error { return f.round(ctx, r, binary) }
	if f.dear {
		r.progress("%s, %d rounds", f.pattern, r.Rounds)
		return round(ctx)
	}
	return r.rounds(ctx, f.pattern, round)
}

func (f functions) round(ctx context.Context, r *Run, binary string) error {
	out, err := f.run(ctx, r, binary)
	if err != nil {
		return err
	}
	lines, err := parseLines(bytes.NewReader(out))
	if err != nil {
		return err
	}
	shorten(lines)
	for _, l := range lines {
		for _, metric := range f.metrics {
			if err := f.add(r.measure(f.measure(l.name, metric)), l); err != nil {
				return err
			}
		}
	}
	return nil
}

// shorten leaves out of the names, like Sink/rows=1/new=true, what all have.
func shorten(lines []line) {
	shared := func(part string) bool {
		return !slices.ContainsFunc(lines, func(l line) bool { return !slices.Contains(strings.Split(l.name, "/"), part) })
	}
	var names []string
	for _, l := range lines {
		names = append(names, strings.Join(slices.DeleteFunc(strings.Split(l.name, "/"), shared), " "))
	}
	for i, name := range names {
		if name != "" {
			lines[i].name = name
		}
	}
}

// run runs the tests' program as go test does, in the folder of its package.
func (f functions) run(ctx context.Context, r *Run, binary string) ([]byte, error) {
	benchtime := (r.Turn / 2).String()
	switch {
	case f.times > 0 && r.Quick:
		benchtime = "1x"
	case f.times > 0:
		benchtime = fmt.Sprintf("%dx", f.times)
	}
	args := []string{"-test.run", "^$", "-test.bench", f.pattern, "-test.benchtime", benchtime, "-test.timeout", "30m"}
	if r.Quick {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = f.dir, os.Environ()
	if f.dear {
		cmd.Env = append(cmd.Env, fmt.Sprintf("HOOKSTREAM_BENCH_ROUNDS=%d", r.Rounds))
	}
	if r.Full {
		cmd.Env = append(cmd.Env, "HOOKSTREAM_BENCH_FULL=1")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w\n%s", strings.Join(cmd.Args, " "), f.dir, err, out)
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
		l := line{name: nameOf(fields[0]), metrics: map[string]float64{}}
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

// nameOf is what a benchmark is called, without what go test adds: the number of
// processors, and #01 where a name comes again.
func nameOf(field string) string {
	return addition.ReplaceAllString(strings.TrimPrefix(field, "Benchmark"), "")
}

var addition = regexp.MustCompile(`(#\d+)?(-\d+)?$`)
