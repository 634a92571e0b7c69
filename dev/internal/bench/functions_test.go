// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

func TestLinesOfGoBenchmarks(t *testing.T) {
	lines, err := parseLines(strings.NewReader(`goos: linux
BenchmarkSink/synchronous_commit=false/rows=100/half_there=false-2   100   9170 ns/op   0.7000 ratio   10000 rows/s
BenchmarkOne   3   12 ns/op   2.5 Mentries/s
BenchmarkOne#01   3   12 ns/op   2.6 Mentries/s
BenchmarkOne#02-2   3   12 ns/op   2.7 Mentries/s
PASS
`))
	if err != nil || len(lines) != 4 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if l := lines[0]; l.name != "Sink/synchronous_commit=false/rows=100/half_there=false" || l.metrics["ratio"] != .7 || l.metrics["rows/s"] != 10000 {
		t.Errorf("got %+v", l)
	}
	if l := lines[1]; l.name != "One" || l.metrics["Mentries/s"] != 2.5 {
		t.Errorf("got %+v", l)
	}
	if lines[2].name != "One" || lines[3].name != "One" {
		t.Errorf("rounds of one line are called %q and %q", lines[2].name, lines[3].name)
	}
	for _, text := range []string{"", "BenchmarkX-2 1 x ns/op"} {
		if _, err := parseLines(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestLinesBecomeMeasures(t *testing.T) {
	f := functions{metrics: []string{"rows/s"}, ratio: "ratio", limit: fixed(atLeast(0.75))}
	m := f.measure("Sink", "rows/s")
	if err := f.add(&m, line{"Sink", map[string]float64{"ratio": .8, "rows/s": 800}}); err != nil {
		t.Fatal(err)
	}
	if m.Baseline[0] != 1000 || m.Subject[0] != 800 || !m.OK() {
		t.Errorf("got %+v", m)
	}
	for _, metrics := range []map[string]float64{{"rows/s": 800}, {"ratio": 1}} {
		if err := f.add(&m, line{"Sink", metrics}); err == nil {
			t.Errorf("%v was taken", metrics)
		}
	}
	alone := functions{metrics: []string{"bytes/entry"}, limit: fixed(atMost(30))}
	m = alone.measure("Memory", "bytes/entry")
	if err := alone.add(&m, line{"Memory", map[string]float64{"bytes/entry": 31}}); err != nil || m.OK() || m.By != Absolute {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestSeriesBySize(t *testing.T) {
	lines := bySize([]*Measure{
		{Name: "Sink/rows=1/new", Baseline: []float64{10, 30, 20}, Subject: []float64{1, 3, 2}},
		{Name: "Sink/rows=100/new", Baseline: []float64{5}, Subject: []float64{4}},
		{Name: "Sink"},
	}, "rows", "COPY", "sink")
	want := []plot.Line{
		{Name: "sink", Points: []plot.Point{{X: 1, Y: 2, Low: 1, High: 3}, {X: 100, Y: 4}}},
		{Name: "COPY", Reference: true, Points: []plot.Point{{X: 1, Y: 20, Low: 10, High: 30}, {X: 100, Y: 5}}},
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got %+v", lines)
	}
}

func TestNamesAreShortened(t *testing.T) {
	lines := []line{{name: "Sink/sync=false/rows=1"}, {name: "Sink/sync=false/rows=100"}}
	shorten(lines)
	if lines[0].name != "rows=1" || lines[1].name != "rows=100" {
		t.Errorf("got %q and %q", lines[0].name, lines[1].name)
	}
	alone := []line{{name: "Event"}}
	if shorten(alone); alone[0].name != "Event" {
		t.Errorf("got %q", alone[0].name)
	}
}
