// SPDX-License-Identifier: Apache-2.0

package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata anew")

var example = Chart{
	Name: "example", Title: "99th percentile <by> load",
	X: Axis{Title: "offered, webhooks/s"}, Y: Axis{Title: "latency, ms", Log: true},
	Lines: []Line{
		{Name: "ingest", Points: []Point{{X: 2500, Y: 1.2, Low: 1.1, High: 1.4}, {X: 5000, Y: 2.5, Low: 2.2, High: 3}, {X: 10000, Y: 180, Low: 90, High: 400}}},
		{Name: "bare net/http", Reference: true, Points: []Point{{X: 2500, Y: 0.4}, {X: 5000, Y: 0.6}, {X: 10000, Y: 2}}},
	},
}

func TestSVG(t *testing.T) {
	got := example.SVG()
	if *update {
		if err := os.WriteFile("testdata/example.svg", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/example.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the chart has changed: go test ./internal/bench/plot -update, and look at testdata/example.svg")
	}
	for d := xml.NewDecoder(bytes.NewReader(got)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	c := Chart{Title: "none", Lines: []Line{{Name: "empty"}}}
	if s := string(c.SVG()); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
		t.Error(s)
	}
}

func TestMarks(t *testing.T) {
	cases := map[string]struct {
		axis   Axis
		values span
		want   []float64
	}{
		"linear":      {Axis{}, span{3, 17}, []float64{0, 5, 10, 15, 20}},
		"exact":       {Axis{}, span{0, 1}, []float64{0, .2, .4, .6, .8, 1}},
		"zero":        {Axis{}, span{0, 0}, []float64{0, .2, .4, .6, .8, 1}},
		"decades":     {Axis{Log: true}, span{1e4, 1e7}, []float64{1e4, 1e5, 1e6, 1e7}},
		"few decades": {Axis{Log: true}, span{3, 40}, []float64{2, 5, 10, 20, 50}},
		"one value":   {Axis{Log: true}, span{5, 5}, []float64{5, 10, 20, 50}},
	}
	for name, c := range cases {
		s := newScale(c.axis, c.values, 0, 100)
		if !slices.EqualFunc(s.marks, c.want, near) {
			t.Errorf("%s: marks %v, want %v", name, s.marks, c.want)
		}
		if !near(s.at(s.values.from), 0) || !near(s.at(s.values.to), 100) {
			t.Errorf("%s: goes from %v to %v", name, s.at(s.values.from), s.at(s.values.to))
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-9*(1+b) && b-a < 1e-9*(1+b) }

func TestLabels(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.30000000000000004: "0.3", 20: "20", 5000: "5 k", 10_000_000: "10 M", 2e9: "2 G"} {
		if got := label(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
