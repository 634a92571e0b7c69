// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"strings"
	"testing"
)

func TestLinesOfGoBenchmarks(t *testing.T) {
	lines, err := parseLines(strings.NewReader(`goos: linux
BenchmarkSink/synchronous_commit=false/rows=100/half_there=false-2   100   9170 ns/op   0.7000 ratio   10000 rows/s
BenchmarkOne   3   12 ns/op   2.5 Mentries/s
PASS
`))
	if err != nil || len(lines) != 2 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	if l := lines[0]; l.name != "Sink/synchronous_commit=false/rows=100/half_there=false" || l.metrics["ratio"] != .7 || l.metrics["rows/s"] != 10000 {
		t.Errorf("got %+v", l)
	}
	if l := lines[1]; l.name != "One" || l.metrics["Mentries/s"] != 2.5 {
		t.Errorf("got %+v", l)
	}
	for _, text := range []string{"", "BenchmarkX-2 1 x ns/op"} {
		if _, err := parseLines(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestRatiosBecomeMeasures(t *testing.T) {
	f := functions{ratio: "ratio", subject: "rows/s", limit: func(string) *Limit { return atLeast(0.75) }}
	m := f.measure("Sink")
	if err := f.add(&m, line{"Sink", map[string]float64{"ratio": .8, "rows/s": 800}}); err != nil {
		t.Fatal(err)
	}
	if m.Baseline[0] != 1000 || m.Subject[0] != 800 || !m.OK() {
		t.Errorf("got %+v", m)
	}
	if err := f.add(&m, line{"Sink", map[string]float64{"rows/s": 800}}); err == nil {
		t.Error("a line without the ratio was taken")
	}
}
