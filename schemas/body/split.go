// SPDX-License-Identifier: Apache-2.0

package body

import (
	"errors"
	"fmt"
	"strings"
)

// MaxItems is how many items a body may hold.
const MaxItems = 10_000

// ErrTooMany says that a body holds more items than Split takes apart, or that they
// would take too much room.
var ErrTooMany = errors.New("body is too large a batch")

// Batch is a compiled set of dotted paths to the items of a batch, in which *
// stands for every element of an array: events.*, or just *.
//
// Paths may nest. An element is an item where it holds none itself: of
// changes.* and changes.*.messages.*, the first finds the changes without messages.
// An element that no path ends at is an item all the same where the next array of
// its paths is absent, so that nothing of a body is lost; where that array is empty,
// it holds nothing.
type Batch struct{ root batchNode }

// batchNode is one step of the paths, shared by those with the same beginning.
type batchNode struct {
	members []batchMember
	// each is where the elements of an array lead, or nil.
	each *batchNode
	// item is set where a path ends.
	item bool
}

type batchMember struct {
	name string
	node *batchNode
}

// NewBatch compiles paths.
func NewBatch(paths []string) *Batch {
	b := &Batch{}
	for _, path := range paths {
		at := &b.root
		for step := range strings.SplitSeq(path, ".") {
			at = at.step(step)
		}
		at.item = true
	}
	return b
}

func (n *batchNode) step(name string) *batchNode {
	if name == "*" {
		if n.each == nil {
			n.each = &batchNode{}
		}
		return n.each
	}
	for _, m := range n.members {
		if m.name == name {
			return m.node
		}
	}
	next := &batchNode{}
	n.members = append(n.members, batchMember{name, next})
	return next
}

// element is the whole body, or an element of one of its batch arrays.
type element struct {
	Range
	// in is the array that it is in, or nil.
	in *array
	// arrays are those in it, in order, but not those in its elements.
	arrays []*array
	// items is how many items it holds, itself among them.
	items int
}

// array is one batch array; its range is what lies between the brackets.
type array struct {
	Range
	elements []*element
}

// Split cuts a JSON body into its items, in their order. Each item's body is the
// whole one, byte for byte, with the batch arrays cut down to this item. A body with
// none of the arrays is one item; one whose arrays are empty has none. It is
// validated in one pass; the error is as Extract's, or ErrTooMany where the items are
// more than MaxItems or would take far more memory than the body.
func (b *Batch) Split(data []byte) ([]Item, error) {
	r, err := newReader(data)
	defer r.release()
	if err != nil {
		return nil, err
	}
	s := splitter{reader: r}
	root, err := s.element(&b.root, nil)
	if err != nil {
		return nil, err
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	root.Range = Range{0, len(data)}
	return cut(data, root)
}

// splitter finds the items in one pass.
type splitter struct {
	*reader
	items int
}

// element reads the next value as an element whose paths go on at node.
func (s *splitter) element(at *batchNode, in *array) (*element, error) {
	e := &element{in: in}
	before := s.items
	var err error
	if e.Range, err = s.value(at, e); err != nil {
		return nil, err
	}
	if e.items = s.items - before; e.items > 0 {
		return e, nil
	}
	if at.item || len(e.arrays) == 0 {
		e.items = 1
		if s.items++; s.items > MaxItems {
			return nil, fmt.Errorf("%w: more than %d items", ErrTooMany, MaxItems)
		}
	}
	return e, nil
}

// value reads the next value, which is e or a part of it, and returns where it is.
func (s *splitter) value(at *batchNode, e *element) (Range, error) {
	switch kind := s.dec.PeekKind(); {
	case kind == '{' && len(at.members) > 0:
		return s.object(at, e)
	case kind == '[' && at.each != nil:
		return s.array(at.each, e)
	}
	v, err := s.raw()
	end := s.offset()
	return Range{end - len(v), end}, err
}

func (s *splitter) object(at *batchNode, e *element) (Range, error) {
	if err := s.delim(); err != nil {
		return Range{}, err
	}
	start := s.offset() - 1
	for s.dec.PeekKind() != '}' {
		name, err := s.raw()
		if err != nil {
			return Range{}, err
		}
		if next := at.member(name); next != nil {
			_, err = s.value(next, e)
		} else {
			_, err = s.raw()
		}
		if err != nil {
			return Range{}, err
		}
	}
	err := s.delim()
	return Range{start, s.offset()}, err
}

func (s *splitter) array(each *batchNode, e *element) (Range, error) {
	if err := s.delim(); err != nil {
		return Range{}, err
	}
	a := &array{Range: Range{Start: s.offset()}}
	e.arrays = append(e.arrays, a)
	for s.dec.PeekKind() != ']' {
		child, err := s.element(each, a)
		if err != nil {
			return Range{}, err
		}
		a.elements = append(a.elements, child)
	}
	err := s.delim()
	a.End = s.offset() - 1
	return Range{a.Start - 1, a.End + 1}, err
}

func (n *batchNode) member(quoted []byte) *batchNode {
	name := unquote(quoted)
	for _, m := range n.members {
		if m.name == string(name) {
			return m.node
		}
	}
	return nil
}
