// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math"
	"slices"
)

// Measure is one figure of both sides, taken once a round.
type Measure struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Baseline and Subject have a value a round. What is Absolute has no baseline.
	Baseline []float64 `json:"baseline,omitempty"`
	Subject  []float64 `json:"subject"`
	// By is how the two sides are compared.
	By By `json:"by"`
	// Limit is the goal, or nil where the figure is for orientation.
	Limit *Limit `json:"limit,omitempty"`
}

// By is a way to compare.
type By string

// The ways to compare: subject / baseline, subject - baseline, and the subject
// alone, which is compared with its goal.
const (
	Ratio      By = "ratio"
	Difference By = "difference"
	Absolute   By = "absolute"
)

// Limit bounds a comparison.
type Limit struct {
	// Bound is the least that is good enough or, if Most, the most.
	Bound float64 `json:"bound"`
	Most  bool    `json:"most,omitempty"`
}

func atLeast(bound float64) *Limit { return &Limit{Bound: bound} }
func atMost(bound float64) *Limit  { return &Limit{Bound: bound, Most: true} }

// add appends one round.
func (m *Measure) add(baseline, subject float64) {
	m.Baseline = append(m.Baseline, baseline)
	m.Subject = append(m.Subject, subject)
}

// Compared is the comparison of each round: both sides of a round ran next to
// each other.
func (m *Measure) Compared() []float64 {
	out := make([]float64, len(m.Subject))
	for i := range out {
		switch m.By {
		case Ratio:
			out[i] = m.Subject[i] / m.Baseline[i]
		case Difference:
			out[i] = m.Subject[i] - m.Baseline[i]
		case Absolute:
			out[i] = m.Subject[i]
		}
	}
	return out
}

// OK reports whether the median of the rounds is within the limit.
func (m *Measure) OK() bool {
	if m.Limit == nil {
		return true
	}
	if m.Limit.Most {
		return median(m.Compared()) <= m.Limit.Bound
	}
	return median(m.Compared()) >= m.Limit.Bound
}

// take appends one round of what is absolute.
func (m *Measure) take(value float64) { m.Subject = append(m.Subject, value) }

// absolute is a figure that stands for itself.
func absolute(name, unit string, limit *Limit) Measure {
	return Measure{Name: name, Unit: unit, By: Absolute, Limit: limit}
}

// median of what is not sorted; NaN of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// quantile of what is sorted, by the nearest rank.
func quantile[T any](sorted []T, q float64) T {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// number writes a value in two or three digits, or all before the point.
func number(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 1e7:
		return fmt.Sprintf("%.1f M", v/1e6)
	case abs >= 100 || v == 0:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
