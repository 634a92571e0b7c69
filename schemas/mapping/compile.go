// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"
	"reflect"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
)

// compiler turns the plain part of jq into filters: paths, literals, construction,
// conditions, and calls of functions. It hands everything else, part by part, to
// gojq. Both give the same values and fail alike, which FuzzFastPath holds them to.
//
// While it compiles, it notes in a body.Shape what the expression reads of the body.
type compiler struct {
	vars  []variable
	slots int
}

type variable struct {
	name  string
	place *body.Shape
	slot  int
}

// declare adds a variable, whose value is read at place.
func (c *compiler) declare(name string, place *body.Shape) int {
	c.vars = append(c.vars, variable{name, place, c.slots})
	c.slots++
	return c.slots - 1
}

// lookup finds the innermost variable of that name.
func (c *compiler) lookup(name string) (variable, bool) {
	for i := len(c.vars) - 1; i >= 0; i-- {
		if c.vars[i].name == name {
			return c.vars[i], true
		}
	}
	return variable{}, false
}

// errForeign says that a part is gojq's to evaluate.
var errForeign = errors.New("not in the plain part of jq")

// query compiles an expression whose input is read at place in.
func (c *compiler) query(q *gojq.Query, in *body.Shape) (filter, error) {
	f, err := c.plain(q, in)
	if errors.Is(err, errForeign) {
		return c.foreign(q, in)
	}
	return f, err
}

// queries compiles expressions that must give one value each.
func (c *compiler) queries(in *body.Shape, qs ...*gojq.Query) ([]filter, error) {
	fs := make([]filter, len(qs))
	for i, q := range qs {
		f, err := c.query(q, in)
		if err != nil {
			return nil, err
		}
		if f.one == nil {
			return nil, errForeign
		}
		fs[i] = f
	}
	return fs, nil
}

func (c *compiler) plain(q *gojq.Query, in *body.Shape) (filter, error) {
	switch {
	case len(q.FuncDefs) > 0:
		return filter{}, errForeign
	case q.Term != nil:
		return c.term(q.Term, in)
	case q.Op == gojq.OpPipe && len(q.Patterns) > 0:
		return c.bind(q, in)
	case operators[q.Op] != "":
		return c.operation(operators[q.Op], q.Left, q.Right, in)
	}
	switch q.Op {
	case gojq.OpPipe:
		l, err := c.query(q.Left, in)
		if err != nil {
			return filter{}, err
		}
		r, err := c.query(q.Right, l.place)
		return l.then(r), err
	case gojq.OpComma:
		return c.comma(q, in)
	case gojq.OpAlt:
		return c.alternative(q, in)
	case gojq.OpAnd, gojq.OpOr:
		return c.logic(q, in)
	}
	return filter{}, errForeign
}

// foreign compiles a part for gojq. It may look at all of its input and of the
// variables that it names.
func (c *compiler) foreign(q *gojq.Query, in *body.Shape) (filter, error) {
	itself(in).demand()
	used := map[string]bool{}
	visit(reflect.ValueOf(q), func(node any) {
		switch n := node.(type) {
		case *gojq.Func:
			used[n.Name] = true
		case *gojq.ObjectKeyVal:
			used[n.Key] = true
		}
	})
	var names []string
	var slots []int
	for i := len(c.vars) - 1; i >= 0; i-- {
		if v := c.vars[i]; used[v.name] {
			used[v.name] = false // an outer one of that name is hidden
			itself(v.place).demand()
			names, slots = append(names, v.name), append(slots, v.slot)
		}
	}
	code, err := compileBounded(q.String(), names)
	if err != nil {
		return filter{}, err
	}
	return filter{each: func(e *env, in any, yield func(any) error) error {
		args := make([]any, 1, 1+len(slots))
		args[0] = e.budget
		for _, slot := range slots {
			args = append(args, e.vars[slot])
		}
		for iter := code.RunWithContext(e.budget, in, args...); ; {
			v, ok := iter.Next()
			if !ok {
				return nil
			}
			if err, failed := v.(error); failed {
				return err
			}
			if err := yield(v); err != nil {
				return err
			}
		}
	}}, nil
}

// bind is l as $name | r.
func (c *compiler) bind(q *gojq.Query, in *body.Shape) (filter, error) {
	if len(q.Patterns) != 1 || q.Patterns[0].Name == "" {
		return filter{}, errForeign
	}
	l, err := c.query(q.Left, in)
	if err != nil {
		return filter{}, err
	}
	outer := c.vars
	slot := c.declare(q.Patterns[0].Name, l.place)
	r, err := c.query(q.Right, in)
	c.vars = outer
	if err != nil {
		return filter{}, err
	}
	if l.one == nil || r.one == nil {
		values, each := l.stream(), r.stream()
		return filter{place: r.place, maybe: l.atMostOne() && r.atMostOne(), each: func(e *env, in any, yield func(any) error) error {
			return values(e, in, func(v any) error {
				e.set(slot, v)
				return each(e, in, yield)
			})
		}}, nil
	}
	return filter{place: r.place, one: func(e *env, in any) (any, error) {
		v, err := l.one(e, in)
		if err != nil {
			return nil, err
		}
		e.set(slot, v)
		return r.one(e, in)
	}}, nil
}

func (c *compiler) comma(q *gojq.Query, in *body.Shape) (filter, error) {
	l, err1 := c.query(q.Left, in)
	r, err2 := c.query(q.Right, in)
	first, second := l.stream(), r.stream()
	return filter{place: either(l, r), each: func(e *env, in any, yield func(any) error) error {
		if err := first(e, in, yield); err != nil {
			return err
		}
		return second(e, in, yield)
	}}, errors.Join(err1, err2)
}

// either is the place of a value that one of several filters gives. Where that may
// be two different ones, both are wanted as a whole.
func either(fs ...filter) *body.Shape {
	var place *body.Shape
	for _, f := range fs {
		switch {
		case f.place == nil || f.place == place:
		case place == nil:
			place = f.place
		default:
			for _, f := range fs {
				f.demand()
			}
			return nil
		}
	}
	return place
}

// alternative is l // r: every value of l that is true, or else r.
func (c *compiler) alternative(q *gojq.Query, in *body.Shape) (filter, error) {
	l, err1 := c.query(q.Left, in)
	r, err2 := c.query(q.Right, in)
	if err := errors.Join(err1, err2); err != nil {
		return filter{}, err
	}
	place := either(l, r)
	if l.one != nil && r.one != nil {
		return filter{place: place, one: func(e *env, in any) (any, error) {
			if v, err := l.one(e, in); err != nil || truth(v) {
				return v, err
			}
			return r.one(e, in)
		}}, nil
	}
	values, others := l.stream(), r.stream()
	if l.maybe && r.one != nil {
		return filter{place: place, one: func(e *env, in any) (any, error) {
			if v, ok, err := values.first(e, in); err != nil || ok && truth(v) {
				return v, err
			}
			return r.one(e, in)
		}}, nil
	}
	return filter{place: place, each: func(e *env, in any, yield func(any) error) error {
		found := false
		err := values(e, in, func(v any) error {
			if !truth(v) {
				return nil
			}
			found = true
			return yield(v)
		})
		if err != nil || found {
			return err
		}
		return others(e, in, yield)
	}}, nil
}

func (c *compiler) logic(q *gojq.Query, in *body.Shape) (filter, error) {
	fs, err := c.queries(in, q.Left, q.Right)
	if err != nil {
		return filter{}, err
	}
	l, r, decided := fs[0], fs[1], q.Op == gojq.OpOr
	return filter{one: func(e *env, in any) (any, error) {
		v, err := l.one(e, in)
		if err != nil || truth(v) == decided {
			return decided, err
		}
		v, err = r.one(e, in)
		return truth(v), err
	}}, nil
}

// operation calls an operator. gojq evaluates the right side first.
func (c *compiler) operation(name string, left, right *gojq.Query, in *body.Shape) (filter, error) {
	fs, err := c.queries(in, left, right)
	if err != nil {
		return filter{}, err
	}
	l, r := fs[0], fs[1]
	if name == "_equal" || name == "_notequal" {
		if f, ok := equality(l, r, name == "_equal"); ok {
			return f, nil
		}
	}
	l.demand()
	r.demand()
	operator := natives[name+"/2"]
	return filter{one: func(e *env, in any) (any, error) {
		y, err := r.one(e, in)
		if err != nil {
			return nil, err
		}
		x, err := l.one(e, in)
		if err != nil {
			return nil, err
		}
		return e.call(operator, x, y)
	}}, nil
}

// equality compares with null or a text, which does not look into anything else.
func equality(l, r filter, equal bool) (filter, bool) {
	if _, ok := r.value.(string); !r.literal || !ok && r.value != nil {
		return filter{}, false
	}
	return filter{one: func(e *env, in any) (any, error) {
		v, err := l.one(e, in)
		switch v := v.(type) {
		case nil:
			return (r.value == nil) == equal, err
		case string:
			return (v == r.value) == equal, err
		}
		return !equal, err
	}}, true
}
