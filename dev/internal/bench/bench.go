// SPDX-License-Identifier: Apache-2.0

// Package bench compares parts of Hookstream with the cheapest thing that could
// take their place, side by side in one run. Machines differ and are busy with
// other things too, so a benchmark's result is a ratio of two sides that took
// turns, round by round; absolute figures are for orientation. The rounds of a
// benchmark are spread over passes through all of them, so that their spread
// holds what the machine does meanwhile, and what differs from start to start.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// Benchmark compares a subject with its baseline.
type Benchmark struct {
	Name string
	// Title says what is done; Baseline and Subject name the sides.
	Title, Baseline, Subject string
	// pass takes r.Rounds rounds of every measure, in processes of its own.
	pass func(context.Context, *Run) error
	// times as many rounds as others take: more than once for sides that are only a
	// few percent apart. 0 is once.
	times int
	// charts are drawn of what all passes measured; nil draws none.
	charts func(*Run) []plot.Chart
}

// All are the benchmarks, in the order in which they run.
var All = []Benchmark{
	edge, mappingCPU, transformation, transformScale, dedupLookup, dedupRestore, dedupGrowth,
	sinkRows, sinkRefused, sinkGrowth, replayed, operators, pipeline, telemetryCost, footprint,
}

// Options of the benchmarks.
type Options struct {
	// Only names the benchmarks to run; none means all.
	Only []string
	// Rounds is how often each side has its turn, in all passes together.
	Rounds int
	// Passes is how often all benchmarks are gone through. There are no more than
	// rounds.
	Passes int
	// Turn is how long one turn lasts.
	Turn time.Duration
	// ProfileDir, where not empty, gets the CPU and allocation profiles of
	// every process.
	ProfileDir string
	// Quick makes the sets that benchmarks work on small.
	Quick bool
	// Full adds what takes many minutes: tables of ten million rows.
	Full bool
	// Progress gets a line at each step.
	Progress io.Writer
}

// Validate checks the options. Errors name the flag.
func (o *Options) Validate() error {
	if o.Rounds < 1 {
		return fmt.Errorf("--rounds is %d, must be at least 1", o.Rounds)
	}
	if o.Passes < 1 {
		return fmt.Errorf("--passes is %d, must be at least 1", o.Passes)
	}
	for _, name := range o.Only {
		if !slices.ContainsFunc(All, func(b Benchmark) bool { return b.Name == name }) {
			return fmt.Errorf("--only names %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	return nil
}

// Names are the benchmarks' names.
func Names() []string {
	var names []string
	for _, b := range All {
		names = append(names, b.Name)
	}
	return names
}

// Start goes through the chosen benchmarks, once a pass. One that fails is left
// out from then on: the results are those of the others, beside its error.
func Start(ctx context.Context, o Options) (results []Result, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	built, err := newBinaries()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, built.remove()) }()
	runs := o.runs(built)
	passes := min(o.Passes, o.Rounds)
	for pass := range passes {
		for _, r := range slices.Clone(runs) {
			r.Rounds = share(r.benchmark.rounds(o.Rounds), passes, pass)
			r.progress("pass %d of %d", pass+1, passes)
			started := time.Now()
			failed := r.benchmark.pass(ctx, r)
			r.progress("took %s", time.Since(started).Round(time.Second))
			if ctx.Err() != nil {
				return nil, errors.Join(failed, ctx.Err())
			}
			if failed != nil {
				err = errors.Join(err, fmt.Errorf("benchmark %s: %w", r.benchmark.Name, failed))
				runs = slices.DeleteFunc(runs, func(other *Run) bool { return other == r })
			}
		}
	}
	for _, r := range runs {
		r.Rounds, r.Passes = r.benchmark.rounds(o.Rounds), passes
		results = append(results, newResult(r))
	}
	return results, err
}

func (b *Benchmark) rounds(usual int) int { return usual * max(1, b.times) }

// share is the part of n that the ith of some passes has.
func share(n, passes, i int) int { return n*(i+1)/passes - n*i/passes }

// runs are the chosen benchmarks, of which nothing has run yet.
func (o *Options) runs(built *binaries) (runs []*Run) {
	for _, b := range All {
		if len(o.Only) == 0 || slices.Contains(o.Only, b.Name) {
			runs = append(runs, &Run{Options: *o, benchmark: b, built: built})
		}
	}
	return runs
}

// Run is one benchmark under way. It lasts for all passes.
type Run struct {
	Options
	benchmark Benchmark
	built     *binaries
	measures  []*Measure
	// samples are single values of all rounds, by what they are of, for charts of
	// distributions.
	samples map[string][]float64
}

// measure is the one of this name and unit, which the first pass begins.
func (r *Run) measure(m Measure) *Measure {
	for _, begun := range r.measures {
		if begun.Name == m.Name && begun.Unit == m.Unit {
			return begun
		}
	}
	r.measures = append(r.measures, &m)
	return &m
}

func (r *Run) sample(of string, values ...float64) {
	if r.samples == nil {
		r.samples = map[string][]float64{}
	}
	r.samples[of] = append(r.samples[of], values...)
}

// turn is one side's part of a round.
type turn func(context.Context) error

// rounds gives every side its turn, round by round, so that what else happens on
// the machine falls on all of them.
func (r *Run) rounds(ctx context.Context, what string, sides ...turn) error {
	for n := range r.Rounds {
		r.progress("%s, round %d of %d", what, n+1, r.Rounds)
		for _, side := range sides {
			if err := side(ctx); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Run) progress(format string, args ...any) {
	fmt.Fprintf(r.Progress, "%s: %s\n", r.benchmark.Name, fmt.Sprintf(format, args...))
}
