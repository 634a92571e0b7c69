// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
)

// term compiles a term and what follows it: .name, [index], [] and ?.
func (c *compiler) term(t *gojq.Term, in *body.Shape) (filter, error) {
	head := *t
	head.SuffixList = nil
	f, err := c.head(&head, in)
	if err != nil {
		return f, err
	}
	for i := 0; i < len(t.SuffixList); i++ {
		s := t.SuffixList[i]
		if s.Optional { // after the head, or twice
			if i > 0 {
				return f, errForeign
			}
			f = f.attempt()
			continue
		}
		// A question mark belongs to the one step before it.
		optional := i+1 < len(t.SuffixList) && t.SuffixList[i+1].Optional
		if s.Index != nil && (s.Index.Start != nil || s.Index.End != nil) && !optional && !fixed(s.Index) {
			if f, err = c.dynamic(f, s.Index, in); err != nil {
				return f, err
			}
			continue
		}
		step, err := suffix(s, f.place)
		if err != nil {
			return f, err
		}
		if optional {
			step = step.attempt()
			i++
		}
		f = f.then(step)
	}
	return f, nil
}

// suffix compiles a step that depends on nothing but what it is applied to.
func suffix(s *gojq.Suffix, in *body.Shape) (filter, error) {
	if s.Iter {
		return iterate(in), nil
	}
	return index(s.Index, in)
}

// index compiles .name, ."name" and [n].
func index(x *gojq.Index, in *body.Shape) (filter, error) {
	switch {
	case x.Name != "":
		return member(x.Name, in), nil
	case x.Str != nil && x.Str.Queries == nil:
		return member(x.Str.Str, in), nil
	case x.Str == nil && fixed(x):
		switch key := evaluate(x.Start).(type) {
		case string:
			return member(key, in), nil
		case int:
			return element(key, in), nil
		}
	}
	return filter{}, errForeign
}

// fixed tells whether an index is a literal.
func fixed(x *gojq.Index) bool {
	if x.IsSlice || x.Start == nil || x.Start.Term == nil || len(x.Start.FuncDefs) > 0 || len(x.Start.Term.SuffixList) > 0 {
		return false
	}
	switch t := x.Start.Term; t.Type {
	case gojq.TermTypeNumber:
		return true
	case gojq.TermTypeUnary:
		return t.Unary.Term.Type == gojq.TermTypeNumber && len(t.Unary.Term.SuffixList) == 0
	case gojq.TermTypeString:
		return t.Str.Queries == nil
	}
	return false
}

// evaluate is the value of an expression that depends on nothing.
func evaluate(q *gojq.Query) any {
	v, _ := q.Run(nil).Next()
	return v
}

// dynamic is of[key], as in a table lookup, or of[start:end]; both have the input of
// the whole term.
func (c *compiler) dynamic(of filter, x *gojq.Index, in *body.Shape) (filter, error) {
	if x.Str != nil || of.one == nil {
		return filter{}, errForeign
	}
	if x.IsSlice {
		ends, err := c.ends(in, x.End, x.Start)
		of.demand()
		return called(natives["_slice/3"], append([]filter{of}, ends...)...), err
	}
	keys, err := c.queries(in, x.Start)
	if err != nil {
		return filter{}, err
	}
	of.demand()
	keys[0].demand()
	lookup := natives["_index/2"]
	return filter{one: func(e *env, in any) (any, error) {
		key, err := keys[0].one(e, in)
		if err != nil {
			return nil, err
		}
		v, err := of.one(e, in)
		if err != nil {
			return nil, err
		}
		return e.call(lookup, v, key)
	}}, nil
}

// ends compiles the ends of a slice; one that is not there is null.
func (c *compiler) ends(in *body.Shape, qs ...*gojq.Query) ([]filter, error) {
	fs := make([]filter, len(qs))
	for i, q := range qs {
		if fs[i] = constant(nil); q == nil {
			continue
		}
		found, err := c.queries(in, q)
		if err != nil {
			return nil, err
		}
		fs[i] = found[0]
	}
	return fs, nil
}

func (c *compiler) head(t *gojq.Term, in *body.Shape) (filter, error) {
	switch t.Type {
	case gojq.TermTypeIdentity:
		return itself(in), nil
	case gojq.TermTypeIndex:
		if f, err := index(t.Index, in); err == nil {
			return f, nil
		}
		return c.dynamic(itself(in), t.Index, in)
	case gojq.TermTypeNull, gojq.TermTypeTrue, gojq.TermTypeFalse, gojq.TermTypeNumber:
		return constant(evaluate(&gojq.Query{Term: t})), nil
	case gojq.TermTypeUnary:
		if t.Unary.Term.Type == gojq.TermTypeNumber && len(t.Unary.Term.SuffixList) == 0 {
			return constant(evaluate(&gojq.Query{Term: t})), nil
		}
	case gojq.TermTypeString:
		return c.text(t.Str, "tostring", in)
	case gojq.TermTypeFormat:
		if t.Str != nil {
			return c.text(t.Str, formats[t.Format], in)
		}
		return c.call(formats[t.Format], nil, in)
	case gojq.TermTypeFunc:
		return c.function(t.Func, in)
	case gojq.TermTypeArray:
		return c.array(t.Array, in)
	case gojq.TermTypeObject:
		return c.object(t.Object, in)
	case gojq.TermTypeIf:
		return c.condition(t.If, in)
	case gojq.TermTypeTry:
		return c.try(t.Try, in)
	case gojq.TermTypeQuery:
		return c.query(t.Query, in)
	}
	return filter{}, errForeign
}

// try compiles what may fail; what becomes of the error must not depend on it.
func (c *compiler) try(t *gojq.Try, in *body.Shape) (filter, error) {
	f, err := c.query(t.Body, in)
	if err != nil || t.Catch == nil {
		return f.attempt(), err
	}
	catch, err := c.query(t.Catch, nil)
	if err != nil || !catch.literal || f.one == nil {
		return filter{}, errors.Join(err, errForeign)
	}
	return f.catch(catch.value), nil
}

// text compiles a string, which may hold queries; gojq evaluates the last first.
func (c *compiler) text(s *gojq.String, format string, in *body.Shape) (filter, error) {
	if s.Queries == nil {
		return constant(s.Str), nil
	}
	parts, err := c.queries(in, s.Queries...)
	if err != nil {
		return filter{}, err
	}
	for _, p := range parts {
		p.demand()
	}
	print, add := natives[format+"/0"], natives["_add/2"]
	return filter{one: func(e *env, in any) (any, error) {
		values := make([]any, len(parts))
		for i := len(parts) - 1; i >= 0; i-- {
			v, err := parts[i].one(e, in)
			if err == nil && s.Queries[i].Term.Str == nil {
				v, err = print.call(e.budget, v, nil)
			}
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		sum := values[0]
		for _, v := range values[1:] {
			var err error
			if sum, err = e.call(add, sum, v); err != nil {
				return nil, err
			}
		}
		return sum, nil
	}}, nil
}
