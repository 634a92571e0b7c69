// SPDX-License-Identifier: Apache-2.0

package body

// Shape says which parts of a body are wanted, so that Decode makes values of
// nothing else. The zero Shape wants nothing but a valid body. It is built once
// and then safe for concurrent use.
type Shape struct {
	all     bool
	names   map[string]int
	members []*Shape
	each    *Shape
}

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
// is as Decode gives it. Numbers that nobody wants are not held to the range of a
// double.
func (s *Shape) Decode(data []byte) (any, error) {
	r, err := newReader(data)
	defer r.release()
	if err != nil {
		return nil, err
	}
	v, err := r.shaped(s)
	if err != nil {
		return nil, err
	}
	return v, r.end()
}

func (r *reader) shaped(s *Shape) (any, error) {
	if s.all {
		return r.value()
	}
	if err := r.count(); err != nil {
		return nil, err
	}
	switch r.dec.PeekKind() {
	case '{':
		switch {
		case s.each != nil:
			return r.value()
		case len(s.members) > 0:
			return r.partial(s)
		}
		_, err := r.raw()
		return Partial(nil), err
	case '[':
		if s.each != nil {
			return r.elements(s.each)
		}
		_, err := r.raw()
		return []any{}, err
	}
	return r.value()
}

func (r *reader) partial(s *Shape) (any, error) {
	if err := r.delim(); err != nil {
		return nil, err
	}
	p := make(Partial, len(s.members))
	for r.dec.PeekKind() != '}' {
		name, err := r.raw()
		if err != nil {
			return nil, err
		}
		if i, wanted := s.names[string(unquote(name))]; wanted {
			p[i], err = r.shaped(s.members[i])
		} else {
			_, err = r.raw()
		}
		if err != nil {
			return nil, err
		}
	}
	return p, r.delim()
}

func (r *reader) elements(each *Shape) (any, error) {
	if err := r.delim(); err != nil {
		return nil, err
	}
	a := []any{}
	for r.dec.PeekKind() != ']' {
		v, err := r.shaped(each)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	return a, r.delim()
}
