// SPDX-License-Identifier: Apache-2.0

package stats

import "time"

// buckets is how many moments a rate tells apart.
const buckets = 64

// Rate counts what happened over a time that is not known in advance. Its
// buckets widen as it grows, so it takes the same room for a minute and a year.
type Rate struct {
	width  int64 // microseconds
	first  int64 // number of the first bucket, counted in widths since 1970
	counts [buckets]int
	any    bool
}

// Add counts one at a time.
func (r *Rate) Add(at time.Time) {
	if !r.any {
		r.any, r.width = true, time.Second.Microseconds()
		r.first = r.bucket(at)
	}
	for {
		n := r.bucket(at)
		last := r.first + buckets - 1
		switch {
		case n >= r.first && n <= last:
			r.counts[n-r.first]++
			return
		case n < r.first && r.shift(n):
		default:
			r.widen()
		}
	}
}

func (r *Rate) bucket(at time.Time) int64 {
	us := at.UnixMicro()
	n := us / r.width
	if us%r.width < 0 {
		n-- // before 1970
	}
	return n
}

// shift makes n the first bucket if nothing falls off the other end.
func (r *Rate) shift(n int64) bool {
	by := r.first - n
	if by >= buckets {
		return false
	}
	for _, count := range r.counts[buckets-by:] {
		if count > 0 {
			return false
		}
	}
	copy(r.counts[by:], r.counts[:buckets-by])
	clear(r.counts[:by])
	r.first = n
	return true
}

// widen doubles the width.
func (r *Rate) widen() {
	var wider [buckets]int
	first := floorHalf(r.first)
	for i, count := range r.counts {
		wider[floorHalf(r.first+int64(i))-first] += count
	}
	r.counts, r.first, r.width = wider, first, 2*r.width
}

func floorHalf(n int64) int64 { return n >> 1 }

// Over spreads the counts over n columns from one time to another, inclusive.
func (r *Rate) Over(from, to time.Time, n int) []int {
	columns := make([]int, n)
	span := to.Sub(from) + 1
	for i, count := range r.counts {
		if count == 0 {
			continue
		}
		at := time.UnixMicro((r.first+int64(i))*r.width + r.width/2)
		column := int(float64(at.Sub(from)) / float64(span) * float64(n))
		columns[min(max(column, 0), n-1)] += count
	}
	return columns
}
