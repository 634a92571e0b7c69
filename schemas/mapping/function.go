// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"regexp"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
)

func (c *compiler) variable(name string) (filter, error) {
	v, ok := c.lookup(name)
	if !ok {
		return filter{}, errForeign
	}
	return filter{place: v.place, one: func(e *env, _ any) (any, error) { return e.vars[v.slot], nil }}, nil
}

// function compiles the call of a function: those whose arguments are expressions
// here, all others by their value.
func (c *compiler) function(f *gojq.Func, in *body.Shape) (filter, error) {
	if f.Name[0] == '$' {
		return c.variable(f.Name)
	}
	switch signature(f.Name, len(f.Args)) {
	case "empty/0":
		return filter{maybe: true, each: func(*env, any, func(any) error) error { return nil }}, nil
	case "not/0":
		return filter{one: func(_ *env, v any) (any, error) { return !truth(v), nil }}, nil
	case "values/0":
		return keep(itself(in), func(v any) bool { return v != nil }), nil
	case "select/1":
		conds, err := c.queries(in, f.Args[0])
		if err != nil {
			return filter{}, err
		}
		return selection(conds[0], in), nil
	case "map/1":
		return c.mapped(f.Args[0], in)
	case "map_values/1":
		return c.mapValues(f, in)
	case "with_entries/1":
		return c.withEntries(f, in)
	case "first/0":
		return element(0, in), nil
	case "last/0":
		return element(-1, in), nil
	case "first/1":
		g, err := c.query(f.Args[0], in)
		return g.head(), err
	case "any/0", "any/1", "any/2", "all/0", "all/1", "all/2":
		return c.quantifier(f, in)
	case "IN/1":
		return c.membership(f.Args[0], in)
	case "todate/0", "todateiso8601/0":
		itself(in).demand()
		return called(natives["strftime/1"], constant(todate)), nil
	case "test/1":
		return c.test(f.Args[0].Term.Str.Str, in) // a literal, see bounded.go
	case "sub/2":
		return c.substitution(f, in)
	case "length/0":
		if in != nil {
			in.Each()
		}
		return called(natives["length/0"]), nil
	case "minor_units/1":
		return c.minorUnits(f.Args[0], in)
	}
	return c.call(f.Name, f.Args, in)
}

// call compiles the call of a native whose arguments give one value each.
func (c *compiler) call(name string, args []*gojq.Query, in *body.Shape) (filter, error) {
	n := natives[signature(name, len(args))]
	if n == nil {
		return filter{}, errForeign
	}
	fs, err := c.queries(in, args...)
	if err != nil {
		return filter{}, err
	}
	itself(in).demand()
	return called(n, fs...), nil
}

// called calls a native. gojq evaluates the last argument first.
func called(n *native, args ...filter) filter {
	for _, a := range args {
		a.demand()
	}
	return filter{one: func(e *env, in any) (any, error) {
		at := len(e.args)
		defer func() { e.args = e.args[:at] }()
		e.args = append(e.args, make([]any, len(args))...)
		for i := len(args) - 1; i >= 0; i-- {
			v, err := args[i].one(e, in)
			if err != nil {
				return nil, err
			}
			e.args[at+i] = v
		}
		return n.call(e.budget, in, e.args[at:])
	}}
}

func (c *compiler) minorUnits(currency *gojq.Query, in *body.Shape) (filter, error) {
	args, err := c.queries(in, currency)
	if err != nil {
		return filter{}, err
	}
	itself(in).demand()
	args[0].demand()
	return filter{one: func(e *env, in any) (any, error) {
		code, err := args[0].one(e, in)
		if err != nil {
			return nil, err
		}
		v := minorUnits(in, []any{code})
		if err, failed := v.(error); failed {
			return nil, err
		}
		return v, nil
	}}, nil
}

// test is test(re).
func (c *compiler) test(re string, in *body.Shape) (filter, error) {
	itself(in).demand()
	known := regexps{}
	if err := known.add(re); err != nil {
		return filter{}, err
	}
	return called(known.native(), constant(re), constant(nil), constant(true)), nil
}

// substitution is sub(re; text) with a literal text, which may name no captures.
func (c *compiler) substitution(call *gojq.Func, in *body.Shape) (filter, error) {
	if !literal(call.Args[1]) {
		return filter{}, errForeign
	}
	known, source := regexps{}, call.Args[0].Term.Str.Str
	if err := known.add(source); err != nil {
		return filter{}, err
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return filter{}, err
	}
	others, err := c.foreign(termQuery(call), in)
	if err != nil {
		return filter{}, err
	}
	text := call.Args[1].Term.Str.Str
	return filter{one: func(e *env, in any) (any, error) {
		s, ok := in.(string)
		if !ok {
			return others.only(e, in)
		}
		if err := e.budget.spend(known[source].once(len(s)) + len(text)); err != nil {
			return nil, err
		}
		found := re.FindStringIndex(s)
		if found == nil {
			return s, nil
		}
		return s[:found[0]] + text + s[found[1]:], nil
	}}, nil
}

// keep gives the values of f that are wanted.
func keep(f filter, wanted func(any) bool) filter {
	each := f.stream()
	return filter{place: f.place, maybe: f.atMostOne(), each: func(e *env, in any, yield func(any) error) error {
		return each(e, in, func(v any) error {
			if !wanted(v) {
				return nil
			}
			return yield(v)
		})
	}}
}

// selection is select(cond).
func selection(cond filter, in *body.Shape) filter {
	return filter{place: in, maybe: true, each: func(e *env, v any, yield func(any) error) error {
		ok, err := cond.one(e, v)
		if err != nil || !truth(ok) {
			return err
		}
		return yield(v)
	}}
}

// head is the first value, if there is one.
func (f filter) head() filter {
	each := f.stream()
	return filter{place: f.place, maybe: true, each: func(e *env, in any, yield func(any) error) error {
		v, ok, err := each.first(e, in)
		if err != nil || !ok {
			return err
		}
		return yield(v)
	}}
}

// mapped is map(f), which is [.[] | f].
func (c *compiler) mapped(q *gojq.Query, in *body.Shape) (filter, error) {
	items := iterate(in)
	f, err := c.query(q, items.place)
	if err != nil {
		return filter{}, err
	}
	f.demand()
	return filter{one: items.then(f).stream().all}, nil
}

// mapValues is map_values(f) on objects; gojq does the arrays.
func (c *compiler) mapValues(call *gojq.Func, in *body.Shape) (filter, error) {
	f, err := c.query(call.Args[0], nil)
	if err != nil {
		return filter{}, err
	}
	others, err := c.foreign(termQuery(call), in)
	if err != nil {
		return filter{}, err
	}
	values := f.stream()
	return filter{one: func(e *env, in any) (any, error) {
		object, ok := in.(map[string]any)
		if !ok {
			return others.only(e, in)
		}
		if err := e.budget.spend(width(object)); err != nil {
			return nil, err
		}
		out := make(map[string]any, len(object))
		var few [fewNames]string
		for _, name := range sortedNames(few[:0], object) {
			if err := e.budget.step(); err != nil {
				return nil, err
			}
			v, ok, err := values.first(e, object[name])
			if err != nil {
				return nil, err
			}
			if ok {
				out[name] = v
			}
		}
		return out, nil
	}}, nil
}

// withEntries is with_entries(f) on objects; gojq does what is none, and entries
// that are not written {key, value}.
func (c *compiler) withEntries(call *gojq.Func, in *body.Shape) (filter, error) {
	f, err := c.query(call.Args[0], nil)
	if err != nil {
		return filter{}, err
	}
	others, err := c.foreign(termQuery(call), in)
	if err != nil {
		return filter{}, err
	}
	each := f.stream()
	unusual, err := c.foreign(termQuery(&gojq.Func{Name: "from_entries"}), nil)
	if err != nil {
		return filter{}, err
	}
	return filter{one: func(e *env, in any) (any, error) {
		object, ok := in.(map[string]any)
		if !ok {
			return others.only(e, in)
		}
		if err := e.budget.spend(width(object) + objectSize*len(object)); err != nil { // an entry is an object too
			return nil, err
		}
		entries := make([]any, 0, len(object))
		var few [fewNames]string
		for _, name := range sortedNames(few[:0], object) {
			entry := map[string]any{"key": name, "value": object[name]}
			err := e.pass(entry, func(v any) error {
				return each(e, v, func(v any) error {
					entries = append(entries, v)
					return nil
				})
			})
			if err != nil {
				return nil, err
			}
		}
		if object, ok := fromEntries(entries); ok {
			return object, nil
		}
		return unusual.only(e, entries)
	}}, nil
}

func fromEntries(entries []any) (map[string]any, bool) {
	object := make(map[string]any, len(entries))
	for _, v := range entries {
		entry, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		name, isText := entry["key"].(string)
		value, ok := entry["value"]
		if !ok || !isText {
			return nil, false
		}
		object[name] = value
	}
	return object, true
}

// quantifier is any and all: of the elements, of what an expression says of them,
// or of what it says of the values of another.
func (c *compiler) quantifier(call *gojq.Func, in *body.Shape) (filter, error) {
	items, args := iterate(in), call.Args
	if len(args) == 2 {
		f, err := c.query(args[0], in)
		if err != nil {
			return filter{}, err
		}
		items, args = f, args[1:]
	}
	cond := itself(items.place)
	if len(args) == 1 {
		f, err := c.query(args[0], items.place)
		if err != nil {
			return filter{}, err
		}
		cond = f
	}
	if cond.one == nil {
		return filter{}, errForeign
	}
	decided := call.Name == "any"
	found := keep(items.then(cond), func(v any) bool { return truth(v) == decided }).stream()
	return filter{one: func(e *env, in any) (any, error) {
		_, ok, err := found.first(e, in)
		return ok == decided, err
	}}, nil
}

// membership is IN(values).
func (c *compiler) membership(q *gojq.Query, in *body.Shape) (filter, error) {
	values, err := c.query(q, in)
	if err != nil {
		return filter{}, err
	}
	values.demand()
	itself(in).demand()
	equal, each := natives["_equal/2"], values.stream()
	return filter{one: func(e *env, in any) (any, error) {
		found := false
		err := each(e, in, func(v any) error {
			same, err := e.call(equal, v, in)
			if err == nil && same == true {
				found, err = true, errStop
			}
			return err
		})
		if found {
			err = nil
		}
		return found, err
	}}, nil
}
