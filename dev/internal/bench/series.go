// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// point is the median of some rounds at x, with their spread.
func point(x float64, rounds []float64) plot.Point {
	p := plot.Point{X: x, Y: median(rounds)}
	if len(rounds) > 1 {
		p.Low, p.High = slices.Min(rounds), slices.Max(rounds)
	}
	return p
}

// bySize are two lines of those measures whose name says the size, like in
// "Sink/rows=100" or "rows=100".
func bySize(measures []*Measure, size, baseline, subject string) []plot.Line {
	lines := []plot.Line{{Name: subject}, {Name: baseline, Reference: true}}
	for _, m := range measures {
		x, ok := sizeIn(m.Name, size)
		if !ok {
			continue
		}
		lines[0].Points = append(lines[0].Points, point(x, m.Subject))
		if len(m.Baseline) > 0 {
			lines[1].Points = append(lines[1].Points, point(x, m.Baseline))
		}
	}
	if len(lines[1].Points) == 0 {
		return lines[:1]
	}
	return lines
}

// sizeIn is the value of size=N in the name of a Go benchmark.
func sizeIn(name, size string) (float64, bool) {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == ' ' }) {
		if digits, ok := strings.CutPrefix(part, size+"="); ok {
			v, err := strconv.ParseFloat(digits, 64)
			return v, err == nil
		}
	}
	return 0, false
}

// distribution is the share of latencies, in percent, that are no longer than
// each of some milliseconds.
func distribution(name string, latencies []float64) plot.Line {
	const points = 80
	sorted := slices.Sorted(slices.Values(latencies))
	l := plot.Line{Name: name}
	for i := range points {
		q := (float64(i) + .5) / points
		l.Points = append(l.Points, plot.Point{X: quantile(sorted, q), Y: q * percentage})
	}
	l.Points = append(l.Points,
		plot.Point{X: quantile(sorted, .999), Y: 99.9}, plot.Point{X: sorted[len(sorted)-1], Y: percentage})
	return l
}
