// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"

	"github.com/hookstream/hookstream/schemas/body"
)

// env is what an evaluation needs beside its input.
type env struct {
	budget *budget
	// vars are the variables, each in the place that the compiler gave it.
	vars []any
	// args are those of the calls that are being prepared.
	args []any
}

// call calls an operator. Its arguments lie in env, because every call would
// allocate them otherwise; no function keeps them.
func (e *env) call(operator *native, l, r any) (any, error) {
	at := len(e.args)
	e.args = append(e.args, l, r)
	v, err := operator.call(e.budget, nil, e.args[at:])
	e.args = e.args[:at]
	return v, err
}

func (e *env) set(slot int, v any) {
	for len(e.vars) <= slot {
		e.vars = append(e.vars, nil)
	}
	e.vars[slot] = v
}

type (
	// single gives exactly one value.
	single func(e *env, in any) (any, error)
	// stream gives any number of values to yield, and ends with yield's error.
	stream func(e *env, in any, yield func(any) error) error
)

// filter is a compiled jq expression. It has either one or each.
type filter struct {
	one  single
	each stream
	// maybe is set where each gives at most one value.
	maybe bool
	// place is what is read of the body where the values are parts of it, and
	// nil where they are computed.
	place *body.Shape
	// literal is set where the value depends on nothing; it is never changed.
	literal bool
	value   any
}

// atMostOne tells whether the filter never gives two values.
func (f filter) atMostOne() bool { return f.one != nil || f.maybe }

// stream gives the filter's values to yield.
func (f filter) stream() stream {
	if f.one == nil {
		return f.each
	}
	return func(e *env, in any, yield func(any) error) error {
		v, err := f.one(e, in)
		if err != nil {
			return err
		}
		return yield(v)
	}
}

// only is the filter's value; it is an error to have none or many.
func (f filter) only(e *env, in any) (any, error) {
	if f.one != nil {
		return f.one(e, in)
	}
	var only any
	n := 0
	err := f.each(e, in, func(v any) error {
		if n++; n > 1 {
			return errMany
		}
		only = v
		return nil
	})
	if err == nil && n == 0 {
		err = errNone
	}
	return only, err
}

var errStop = errors.New("first value found")

// first is the stream's first value, if it has any.
func (s stream) first(e *env, in any) (v any, ok bool, err error) {
	err = s(e, in, func(found any) error {
		v, ok = found, true
		return errStop
	})
	if ok {
		err = nil
	}
	return v, ok, err
}

// all are the stream's values.
func (s stream) all(e *env, in any) (any, error) {
	values := []any{}
	err := s(e, in, func(v any) error {
		values = append(values, v)
		return nil
	})
	return values, err
}

// demand wants all of what the filter gives, because it is looked into.
func (f filter) demand() {
	if f.place != nil {
		f.place.All()
	}
}

func constant(v any) filter {
	return filter{one: func(*env, any) (any, error) { return v, nil }, literal: true, value: v}
}

func itself(in *body.Shape) filter {
	return filter{one: func(_ *env, v any) (any, error) { return v, nil }, place: in}
}

// then gives what l gives to r, which was compiled for l's place.
func (f filter) then(r filter) filter {
	if f.one != nil && r.one != nil {
		return filter{place: r.place, one: func(e *env, in any) (any, error) {
			v, err := f.one(e, in)
			if err != nil {
				return nil, err
			}
			return r.one(e, v)
		}}
	}
	first, second := f.stream(), r.stream()
	return filter{place: r.place, maybe: f.atMostOne() && r.atMostOne(), each: func(e *env, in any, yield func(any) error) error {
		return first(e, in, func(v any) error { return second(e, v, yield) })
	}}
}

// attempt ends without an error where f fails, but not where what comes after it
// does.
func (f filter) attempt() filter {
	each := f.stream()
	return filter{place: f.place, maybe: f.atMostOne(), each: func(e *env, in any, yield func(any) error) error {
		var after error
		err := each(e, in, func(v any) error {
			after = yield(v)
			return after
		})
		if after != nil || e.budget.Err() != nil {
			return err
		}
		return nil
	}}
}

// catch is f, or a literal where f fails.
func (f filter) catch(value any) filter {
	return filter{place: f.place, one: func(e *env, in any) (any, error) {
		v, err := f.one(e, in)
		if err != nil && e.budget.Err() == nil {
			return value, nil
		}
		return v, err
	}}
}

// member is .name; i is its place in a body.Partial.
func member(name string, in *body.Shape) filter {
	i := -1
	if in != nil {
		i, in = in.Member(name)
	}
	return filter{place: in, one: func(_ *env, v any) (any, error) {
		switch v := v.(type) {
		case body.Partial:
			return v[i], nil
		case map[string]any:
			return v[name], nil
		case nil:
			return nil, nil
		}
		return nil, notObject(v)
	}}
}

// element is .[index].
func element(index int, in *body.Shape) filter {
	if in != nil {
		in = in.Each()
	}
	return filter{place: in, one: func(e *env, v any) (any, error) {
		switch v := v.(type) {
		case []any:
			at := index
			if at < 0 {
				at += len(v)
			}
			if at < 0 || at >= len(v) {
				return nil, nil
			}
			return v[at], nil
		case string: // a character
			return e.call(natives["_index/2"], v, index)
		case nil:
			return nil, nil
		}
		return nil, notArray(v)
	}}
}

// iterate is .[].
func iterate(in *body.Shape) filter {
	if in != nil {
		in = in.Each()
	}
	return filter{place: in, each: func(e *env, v any, yield func(any) error) error {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				if err := e.pass(item, yield); err != nil {
					return err
				}
			}
			return nil
		case map[string]any:
			var few [fewNames]string
			for _, name := range sortedNames(few[:0], v) {
				if err := e.pass(v[name], yield); err != nil {
					return err
				}
			}
			return nil
		}
		return notIterable(v)
	}}
}

// pass counts an element and hands it on.
func (e *env) pass(item any, yield func(any) error) error {
	if err := e.budget.step(); err != nil {
		return err
	}
	return yield(item)
}

// truth is what if, and, or, not, select and // go by.
func truth(v any) bool { return v != nil && v != false }
