// SPDX-License-Identifier: Apache-2.0

package body

import "fmt"

// Shape says which parts of a body are wanted, so that Decode makes values of
// nothing else. The zero Shape wants nothing but a valid body. It is built once
// and then safe for concurrent use.
type Shape struct {
	all     bool
	names   map[string]int
	members []*Shape
	each    *Shape
}

// whole wants everything.
var whole = &Shape{all: true}

// Partial is an object of which only the members that its Shape names were
// read. They are in the order in which they were named; one that is absent or
// null is nil.
type Partial []any

// All wants the whole value.
func (s *Shape) All() { s.all = true }

// Member wants a member of an object. It returns the member's place in a Partial
// and what is wanted of it.
func (s *Shape) Member(name string) (int, *Shape) {
	i, ok := s.names[name]
	if !ok {
		if s.names == nil {
			s.names = map[string]int{}
		}
		i = len(s.members)
		s.names[name] = i
		s.members = append(s.members, &Shape{})
	}
	return i, s.members[i]
}

// Each wants the elements of an array, or all members of an object, and returns
// what is wanted of an element.
func (s *Shape) Each() *Shape {
	if s.each == nil {
		s.each = &Shape{}
	}
	return s.each
}

// Decode validates the whole body in one pass, as the package's Decode does, and
// returns the parts that are wanted: an object of which only members are wanted is
// a Partial, an array of which nothing is wanted has no elements, everything else
// is as Decode gives it. What nobody wants may repeat a name, which only
// Validate refuses, and its numbers are not held to the range of a double: it decides
// nothing.
func (s *Shape) Decode(data []byte) (any, error) {
	r, err := newReader(data, repeatable)
	defer r.release()
	if err != nil {
		return nil, err
	}
	v, err := r.value(s)
	if err != nil {
		return nil, err
	}
	return v, r.end()
}

// value reads the next value as far as it is wanted.
func (r *reader) value(s *Shape) (any, error) {
	if r.values++; r.values > MaxValues {
		return nil, fmt.Errorf("body holds more than %d values that are read", MaxValues)
	}
	switch r.dec.PeekKind() {
	case '{':
		switch {
		case s.all || s.each != nil:
			return r.object()
		case len(s.members) > 0:
			return r.partial(s)
		}
		_, err := r.raw()
		return Partial(nil), err
	case '[':
		switch {
		case s.all:
			return r.array(s)
		case s.each != nil:
			return r.array(s.each)
		}
		_, err := r.raw()
		return []any{}, err
	}
	return r.scalar()
}

func (r *reader) scalar() (any, error) {
	v, err := r.raw()
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case '"':
		return string(unquote(v)), nil
	case '0':
		return number(v)
	case 't', 'f':
		return v.Kind() == 't', nil
	}
	return nil, nil
}

// object reads a whole object.
func (r *reader) object() (any, error) {
	if err := r.delim(); err != nil {
		return nil, err
	}
	m := map[string]any{}
	for r.dec.PeekKind() != '}' {
		quoted, err := r.raw()
		if err != nil {
			return nil, err
		}
		name := string(unquote(quoted))
		if _, ok := m[name]; ok {
			return nil, r.repeats(quoted)
		}
		if m[name], err = r.value(whole); err != nil {
			return nil, err
		}
	}
	return m, r.delim()
}

// partial reads the members of an object that are wanted.
func (r *reader) partial(s *Shape) (any, error) {
	if err := r.delim(); err != nil {
		return nil, err
	}
	p := make(Partial, len(s.members))
	var few [64]bool
	seen := few[:]
	if len(p) > len(few) {
		seen = make([]bool, len(p))
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.raw()
		if err != nil {
			return nil, err
		}
		if i, wanted := s.names[string(unquote(name))]; wanted {
			if seen[i] {
				return nil, r.repeats(name)
			}
			seen[i] = true
			p[i], err = r.value(s.members[i])
		} else {
			_, err = r.raw()
		}
		if err != nil {
			return nil, err
		}
	}
	return p, r.delim()
}

// array reads an array, each element as far as it is wanted.
func (r *reader) array(each *Shape) (any, error) {
	if err := r.delim(); err != nil {
		return nil, err
	}
	a := []any{}
	for r.dec.PeekKind() != ']' {
		v, err := r.value(each)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, r.delim()
}
