// SPDX-License-Identifier: Apache-2.0

package body

import (
	"cmp"
	"fmt"
	"slices"
)

// Range is a piece of a body: the bytes from Start up to, not including, End.
type Range struct{ Start, End int }

// Item is one of the webhooks that a body holds.
type Item struct {
	// Body is the whole body without the other items.
	Body []byte
	// Ranges are where Body's bytes are in the whole body, in order.
	Ranges []Range
	// Gap are the bytes that belong to no item, usually a comma: those between
	// the item before this one and this one, and with the last item those
	// after it.
	Gap string
}

// Join puts a body together again from all of its items, byte for byte. It fails
// where the items cannot be those of one body.
func Join(items []Item) ([]byte, error) {
	var ranges []Range
	var gaps []byte
	for i, item := range items {
		n := 0
		for _, r := range item.Ranges {
			n += r.End - r.Start
			if r.Start < 0 || r.End < r.Start {
				return nil, fmt.Errorf("item %d: %d-%d is not a range", i+1, r.Start, r.End)
			}
		}
		if n != len(item.Body) {
			return nil, fmt.Errorf("item %d has %d bytes and ranges of %d", i+1, len(item.Body), n)
		}
		ranges = append(ranges, item.Ranges...)
		gaps = append(gaps, item.Gap...)
	}
	holes, size := complement(ranges)
	missing := 0
	for _, h := range holes {
		missing += h.End - h.Start
	}
	if missing != len(gaps) {
		return nil, fmt.Errorf("%d bytes belong to no item, and the gaps have %d: an item is missing or of another body", missing, len(gaps))
	}
	whole := make([]byte, size)
	for _, item := range items {
		place(whole, item.Ranges, item.Body)
	}
	place(whole, holes, gaps)
	return whole, nil
}

// place writes data piece by piece into the ranges.
func place(whole []byte, ranges []Range, data []byte) {
	for _, r := range ranges {
		data = data[copy(whole[r.Start:r.End], data):]
	}
}

// complement returns what none of the ranges covers, in order, and the end of the
// last of them.
func complement(ranges []Range) (holes []Range, end int) {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b Range) int { return cmp.Compare(a.Start, b.Start) })
	for _, r := range sorted {
		if r.Start > end {
			holes = append(holes, Range{end, r.Start})
		}
		end = max(end, r.End)
	}
	return holes, end
}
