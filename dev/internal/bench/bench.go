// SPDX-License-Identifier: Apache-2.0

// Package bench compares parts of Hookstream with the cheapest thing that could
// take their place, side by side in one run. Machines differ and are busy with
// other things too, so a benchmark's result is a ratio of two sides that took
// turns, round by round; absolute figures are for orientation.
package bench

import (
	"context"
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
	run                      func(context.Context, *Run) ([]Measure, error)
}

// All are the benchmarks, in the order in which they run.
var All = []Benchmark{
	edge, mappingCPU, transformation, transformScale, dedupLookup, dedupRestore, dedupGrowth,
	sinkRows, sinkGrowth, replayed, operators, pipeline, telemetryCost, footprint,
}

// Options of the benchmarks.
type Options struct {
	// Only names the benchmarks to run; none means all.
	Only []string
	// Rounds is how often each side has its turn.
	Rounds int
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

// Start runs the chosen benchmarks one after the other. With an error it returns
// the results that there are.
func Start(ctx context.Context, o Options) ([]Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	var results []Result
	for _, b := range All {
		if len(o.Only) > 0 && !slices.Contains(o.Only, b.Name) {
			continue
		}
		r := &Run{Options: o, name: b.Name}
		measures, err := b.run(ctx, r)
		if err != nil {
			return results, fmt.Errorf("benchmark %s: %w", b.Name, err)
		}
		results = append(results, newResult(b, r, measures))
	}
	return results, nil
}

// Run is one benchmark under way.
type Run struct {
	Options
	name string
	// charts of what was measured.
	charts []plot.Chart
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
	fmt.Fprintf(r.Progress, "%s: %s\n", r.name, fmt.Sprintf(format, args...))
}
