// SPDX-License-Identifier: Apache-2.0

// Package plot draws small charts of measurements as SVG. The same chart gives
// the same bytes, so that a change of a committed chart is a change of its data.
package plot

import "math"

// Chart is a diagram of lines over two axes.
type Chart struct {
	// Name is the file's, without its ending.
	Name  string `json:"name"`
	Title string `json:"title"`
	X     Axis   `json:"x"`
	Y     Axis   `json:"y"`
	Lines []Line `json:"lines"`
}

// Axis is one of the two. Its title says what, in which unit.
type Axis struct {
	Title string `json:"title"`
	// Log makes each decade as long as the other. Values must be above 0.
	Log bool `json:"log,omitempty"`
}

// Line is a series of points in the order of X.
type Line struct {
	Name string `json:"name"`
	// Reference is what the others are compared with: it is dashed.
	Reference bool    `json:"reference,omitempty"`
	Points    []Point `json:"points"`
}

// Point is a value at X: the median of some rounds, and their lowest and highest,
// which are zero where there was one round only.
type Point struct {
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
	Low  float64 `json:"low,omitempty"`
	High float64 `json:"high,omitempty"`
}

// bounds are the least and the greatest X and Y of all points, spread included.
func (c *Chart) bounds() (x, y span) {
	x, y = span{math.Inf(1), math.Inf(-1)}, span{math.Inf(1), math.Inf(-1)}
	for _, l := range c.Lines {
		for _, p := range l.Points {
			x = x.with(p.X)
			y = y.with(p.Y)
			if p.High > 0 {
				y = y.with(p.Low).with(p.High)
			}
		}
	}
	return x, y
}

type span struct{ from, to float64 }

func (s span) with(v float64) span { return span{min(s.from, v), max(s.to, v)} }
