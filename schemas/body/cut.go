// SPDX-License-Identifier: Apache-2.0

package body

import "fmt"

// Bounds of what splitting costs.
const (
	// maxGrowth bounds the memory of the items: every item repeats what lies
	// around the arrays, so a long envelope and many items would multiply.
	maxGrowth = 16
	// maxGap bounds an item's Gap, which a record carries in a header.
	maxGap = 4 << 10
)

// cut makes the items of what was found.
func cut(data []byte, root *element) ([]Item, error) {
	c := cutter{data: data, left: maxGrowth*len(data) + 1<<20}
	if err := c.items(root, nil); err != nil {
		return nil, err
	}
	if err := c.gaps(); err != nil {
		return nil, err
	}
	return c.out, nil
}

type cutter struct {
	data []byte
	out  []Item
	// starts are where the items themselves begin.
	starts []int
	// left is how much more memory may be used.
	left int
}

// items cuts every item of e, which the chain of elements leads to.
func (c *cutter) items(e *element, chain []*element) error {
	chain = append(chain, e)
	holds := 0
	for _, a := range e.arrays {
		for _, child := range a.elements {
			if child.items == 0 {
				continue
			}
			holds += child.items
			if err := c.items(child, chain); err != nil {
				return err
			}
		}
	}
	if holds > 0 || e.items == 0 {
		return nil
	}
	item := Item{Ranges: keep(nil, chain)}
	size := 0
	for _, r := range item.Ranges {
		size += r.End - r.Start
	}
	if c.left -= size; c.left < 0 {
		return fmt.Errorf("%w: split, they would take more than %d times the memory", ErrTooMany, maxGrowth)
	}
	item.Body = make([]byte, 0, size)
	for _, r := range item.Ranges {
		item.Body = append(item.Body, c.data[r.Start:r.End]...)
	}
	c.out = append(c.out, item)
	c.starts = append(c.starts, e.Start)
	return nil
}

// keep appends the ranges of the first element of the chain with its arrays cut down
// to the next one.
func keep(ranges []Range, chain []*element) []Range {
	e := chain[0]
	at := e.Start
	for _, a := range e.arrays {
		ranges = appendRange(ranges, at, a.Start)
		if len(chain) > 1 && chain[1].in == a {
			ranges = keep(ranges, chain[1:])
		}
		at = a.End
	}
	return appendRange(ranges, at, e.End)
}

// appendRange joins ranges that meet.
func appendRange(ranges []Range, start, end int) []Range {
	if n := len(ranges); n > 0 && ranges[n-1].End == start {
		ranges[n-1].End = end
		return ranges
	}
	return append(ranges, Range{start, end})
}

// gaps gives the bytes of no item to the item that comes next, or to the last.
func (c *cutter) gaps() error {
	var all []Range
	for _, item := range c.out {
		all = append(all, item.Ranges...)
	}
	holes, _ := complement(all)
	next := 0
	for i := range c.out {
		var gap []byte
		for next < len(holes) && (i == len(c.out)-1 || holes[next].Start < c.starts[i]) {
			gap = append(gap, c.data[holes[next].Start:holes[next].End]...)
			next++
		}
		if len(gap) > maxGap {
			return fmt.Errorf("%w: more than %d bytes between two items", ErrTooMany, maxGap)
		}
		c.out[i].Gap = string(gap)
	}
	return nil
}
