// SPDX-License-Identifier: Apache-2.0

package body

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Paths is a compiled set of dotted paths, for example data.object.id or
// items.0.id, where a number selects an array's element.
type Paths struct {
	root node
	n    int
}

// node is one step of the paths, shared by those with the same beginning.
type node struct {
	children map[string]*node
	// slot is the index of the path that ends here, or -1.
	slot int
}

// NewPaths compiles paths. Values come back in their order.
func NewPaths(paths []string) *Paths {
	p := &Paths{root: node{slot: -1}, n: len(paths)}
	for i, path := range paths {
		at := &p.root
		for _, step := range strings.Split(path, ".") {
			child, ok := at.children[step]
			if !ok {
				if at.children == nil {
					at.children = map[string]*node{}
				}
				child = &node{slot: -1}
				at.children[step] = child
			}
			at = child
		}
		at.slot = i
	}
	return p
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
	r := newReader(data)
	out := make([]Value, p.n)
	if err := r.extract(&p.root, out); err != nil {
		return nil, err
	}
	return out, r.end()
}

// extract walks the next value; at is nil where no path leads.
func (r *reader) extract(at *node, out []Value) error {
	tok, err := r.next()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case '{':
		return r.extractObject(at, out)
	case '[':
		return r.extractArray(at, out)
	default:
		at.set(tok, out)
		return nil
	}
}

func (r *reader) extractObject(at *node, out []Value) error {
	for r.dec.PeekKind() != '}' {
		name, err := r.next()
		if err != nil {
			return err
		}
		if err := r.extract(at.child(name), out); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

func (r *reader) extractArray(at *node, out []Value) error {
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		var child *node
		if at != nil && at.children != nil {
			child = at.children[strconv.Itoa(i)]
		}
		if err := r.extract(child, out); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

// child is the node that an object's name leads to. A name is only decoded
// where a path could go on.
func (n *node) child(name jsontext.Token) *node {
	if n == nil || n.children == nil {
		return nil
	}
	return n.children[name.String()]
}

func (n *node) set(tok jsontext.Token, out []Value) {
	if n == nil || n.slot < 0 || tok.Kind() == 'n' {
		return
	}
	out[n.slot] = Value{Text: tok.String(), OK: true}
}
