// SPDX-License-Identifier: Apache-2.0

package body

import (
	"strconv"
	"strings"
)

// Paths is a compiled set of dotted paths, for example data.object.id or
// items.0.id, where a number selects an array's element.
type Paths struct {
	root node
	n    int
}

// node is one step of the paths, shared by those with the same beginning.
type node struct {
	members []member
	// slot is the index of the path that ends here, or -1.
	slot int
	// elements tells that a member's name is an array's index.
	elements bool
}

// member is a further step. There are few of them, so they are compared one by
// one: that takes less time than to hash a name.
type member struct {
	name string
	// index is the name as an array's index, or -1.
	index int
	node  *node
}

// NewPaths compiles paths. Values come back in their order.
func NewPaths(paths []string) *Paths {
	p := &Paths{root: node{slot: -1}, n: len(paths)}
	for i, path := range paths {
		at := &p.root
		for step := range strings.SplitSeq(path, ".") {
			at = at.step(step)
		}
		at.slot = i
	}
	return p
}

func (n *node) step(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.node
		}
	}
	index := -1
	if i, err := strconv.Atoi(name); err == nil && strconv.Itoa(i) == name {
		index = i
	}
	next := &node{slot: -1}
	n.members = append(n.members, member{name, index, next})
	n.elements = n.elements || index >= 0
	return next
}

// Value is what a path leads to: the text of a string, number or boolean.
// Null, objects and arrays count as absent.
type Value struct {
	Text string
	OK   bool
}

// Extract validates the whole body in one pass and returns the value of each
// path.
func (p *Paths) Extract(data []byte) ([]Value, error) {
	r, err := newReader(data)
	defer r.release()
	if err != nil {
		return nil, err
	}
	out := make([]Value, p.n)
	if err := r.extract(&p.root, out); err != nil {
		return nil, err
	}
	return out, r.end()
}

// extract walks the next value; at is nil where no path leads, and the value is
// validated as a whole.
func (r *reader) extract(at *node, out []Value) error {
	if at != nil && len(at.members) > 0 {
		switch r.dec.PeekKind() {
		case '{':
			return r.extractObject(at, out)
		case '[':
			if at.elements {
				return r.extractArray(at, out)
			}
		}
	}
	v, err := r.raw()
	if err != nil || at == nil || at.slot < 0 {
		return err
	}
	switch v.Kind() {
	case '"':
		out[at.slot] = Value{Text: string(unquote(v)), OK: true}
	case '0', 't', 'f':
		out[at.slot] = Value{Text: string(v), OK: true}
	}
	return nil
}

func (r *reader) extractObject(at *node, out []Value) error {
	if err := r.delim(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.raw()
		if err != nil {
			return err
		}
		if err := r.extract(at.member(name), out); err != nil {
			return err
		}
	}
	return r.delim()
}

func (r *reader) extractArray(at *node, out []Value) error {
	if err := r.delim(); err != nil {
		return err
	}
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		if err := r.extract(at.element(i), out); err != nil {
			return err
		}
	}
	return r.delim()
}

func (n *node) member(quoted []byte) *node {
	name := unquote(quoted)
	for i := range n.members {
		if n.members[i].name == string(name) {
			return n.members[i].node
		}
	}
	return nil
}

func (n *node) element(index int) *node {
	for i := range n.members {
		if n.members[i].index == index {
			return n.members[i].node
		}
	}
	return nil
}
