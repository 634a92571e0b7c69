// SPDX-License-Identifier: Apache-2.0

package plot

import (
	"math"
	"strconv"
)

// scale places values on a length of pixels, and has marks at round values.
type scale struct {
	log    bool
	values span
	marks  []float64
	// from and to are pixels; an upright axis goes from a greater to a smaller.
	from, to float64
}

// steps are round numbers below 10.
var steps = []float64{1, 2, 5}

// wantedMarks is about how many marks a linear axis has.
const wantedMarks = 5

func newScale(a Axis, values span, from, to float64) scale {
	s := scale{log: a.Log, from: from, to: to}
	if a.Log {
		s.logarithmic(values)
	} else {
		s.linear(values.to)
	}
	return s
}

// linear goes from 0 to a round value: an axis that begins elsewhere shows small
// differences as great ones.
func (s *scale) linear(greatest float64) {
	if greatest <= 0 {
		greatest = 1
	}
	step := roundUp(greatest / wantedMarks)
	n := int(math.Ceil(greatest/step - 1e-9))
	for i := range n + 1 {
		s.marks = append(s.marks, float64(i)*step)
	}
	s.values = span{0, float64(n) * step}
}

// logarithmic has a mark at each decade; where there are few of them, at 2 and 5
// times a decade too.
func (s *scale) logarithmic(values span) {
	s.values = span{roundDown(values.from), roundUp(values.to)}
	if s.values.from == s.values.to {
		s.values.to *= 10
	}
	few := s.values.to/s.values.from <= 200
	for decade := math.Floor(math.Log10(s.values.from)); decade <= math.Log10(s.values.to)+1e-9; decade++ {
		for _, step := range steps {
			v := step * math.Pow(10, decade)
			if (step == 1 || few) && v >= s.values.from*(1-1e-9) && v <= s.values.to*(1+1e-9) {
				s.marks = append(s.marks, v)
			}
		}
	}
}

// at is the pixel of a value.
func (s scale) at(v float64) float64 {
	share := (v - s.values.from) / (s.values.to - s.values.from)
	if s.log {
		share = math.Log(v/s.values.from) / math.Log(s.values.to/s.values.from)
	}
	return s.from + share*(s.to-s.from)
}

// roundUp is the least round number that is not below v, which is above 0.
func roundUp(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range steps {
		if step*decade >= v*(1-1e-9) {
			return step * decade
		}
	}
	return 10 * decade
}

// roundDown is the greatest round number that is not above v, which is above 0.
func roundDown(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	out := decade
	for _, step := range steps {
		if step*decade <= v*(1+1e-9) {
			out = step * decade
		}
	}
	return out
}

// label writes a mark in few characters.
func label(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if v >= unit.size {
			return short(v/unit.size) + unit.name
		}
	}
	return short(v)
}

// short leaves out what the rounding of binary fractions adds.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
