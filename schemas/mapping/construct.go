// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
)

func (c *compiler) array(a *gojq.Array, in *body.Shape) (filter, error) {
	if a.Query == nil {
		return constant([]any{}), nil
	}
	f, err := c.query(a.Query, in)
	if err != nil {
		return filter{}, err
	}
	f.demand()
	return filter{one: f.stream().all}, nil
}

// entry is one member of an object that is constructed.
type entry struct{ key, value filter }

func (c *compiler) object(o *gojq.Object, in *body.Shape) (filter, error) {
	entries := make([]entry, len(o.KeyVals))
	literal := true
	for i, kv := range o.KeyVals {
		e, err := c.entry(kv, in)
		if err != nil {
			return filter{}, err
		}
		if e.key.one == nil || e.value.one == nil {
			return filter{}, errForeign
		}
		e.key.demand()
		e.value.demand()
		entries[i] = e
		literal = literal && e.key.literal && e.value.literal
	}
	if literal {
		if v, err := construct(entries, nil, nil); err == nil {
			return constant(v), nil
		}
	}
	return filter{one: func(e *env, in any) (any, error) {
		if err := e.budget.spend(objectSize + entrySize*len(entries)); err != nil {
			return nil, err
		}
		return construct(entries, e, in)
	}}, nil
}

func (c *compiler) entry(kv *gojq.ObjectKeyVal, in *body.Shape) (e entry, err error) {
	name := kv.Key
	if kv.KeyString != nil && kv.KeyString.Queries == nil {
		name = kv.KeyString.Str
	}
	switch {
	case kv.Key != "" && kv.Key[0] == '$':
		value, err := c.variable(kv.Key)
		if kv.Val != nil {
			return e, errForeign
		}
		return entry{constant(kv.Key[1:]), value}, err
	case kv.KeyQuery != nil:
		e.key, err = c.query(kv.KeyQuery, in)
	case kv.Key != "" || kv.KeyString != nil && kv.KeyString.Queries == nil:
		e.key = constant(name)
	default:
		return e, errForeign
	}
	if kv.Val == nil {
		e.value = member(name, in)
		return e, err
	}
	value, errValue := c.query(kv.Val, in)
	e.value = value
	return e, errors.Join(err, errValue)
}

// construct evaluates everything before it looks at the names, as gojq does.
func construct(entries []entry, e *env, in any) (any, error) {
	object := make(map[string]any, len(entries))
	var failed error
	for i := range entries {
		key, err := entries[i].key.one(e, in)
		if err != nil {
			return nil, err
		}
		value, err := entries[i].value.one(e, in)
		if err != nil {
			return nil, err
		}
		if name, ok := key.(string); ok {
			object[name] = value
		} else {
			failed = notName(key)
		}
	}
	return object, failed
}

// condition is if, with any number of elif; without an else, that is identity.
func (c *compiler) condition(i *gojq.If, in *body.Shape) (filter, error) {
	conds, err := c.queries(in, i.Cond)
	if err != nil {
		return filter{}, err
	}
	then, err := c.query(i.Then, in)
	if err != nil {
		return filter{}, err
	}
	var other filter
	switch {
	case len(i.Elif) > 0:
		other, err = c.condition(&gojq.If{Cond: i.Elif[0].Cond, Then: i.Elif[0].Then, Elif: i.Elif[1:], Else: i.Else}, in)
	case i.Else != nil:
		other, err = c.query(i.Else, in)
	default:
		other = itself(in)
	}
	if err != nil {
		return filter{}, err
	}
	cond, place := conds[0], either(then, other)
	if then.one == nil || other.one == nil {
		yes, no := then.stream(), other.stream()
		return filter{place: place, maybe: then.atMostOne() && other.atMostOne(), each: func(e *env, in any, yield func(any) error) error {
			v, err := cond.one(e, in)
			switch {
			case err != nil:
				return err
			case truth(v):
				return yes(e, in, yield)
			}
			return no(e, in, yield)
		}}, nil
	}
	return filter{place: place, one: func(e *env, in any) (any, error) {
		v, err := cond.one(e, in)
		switch {
		case err != nil:
			return nil, err
		case truth(v):
			return then.one(e, in)
		}
		return other.one(e, in)
	}}, nil
}
