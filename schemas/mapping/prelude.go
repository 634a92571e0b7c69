// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	_ "embed"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/itchyny/gojq"
)

//go:embed prelude.jq
var preludeSource string

// prelude are the definitions of prelude.jq in their order, by which one may call
// those before it.
var prelude = func() []*gojq.FuncDef {
	query, err := gojq.Parse(preludeSource)
	if err != nil {
		panic(err)
	}
	return query.FuncDefs
}()

// boundPrelude bounds the definitions themselves.
var boundPrelude = sync.OnceFunc(func() {
	b := bounder{trusted: true}
	for _, def := range prelude {
		b.walk(reflect.ValueOf(def))
	}
	if err := errors.Join(b.errs...); err != nil {
		panic(err)
	}
})

func inPrelude(name string, arity int) bool {
	return slices.ContainsFunc(prelude, func(d *gojq.FuncDef) bool { return d.Name == name && len(d.Args) == arity })
}

// needed are the definitions of the prelude that a bounded expression calls, also by
// way of others.
func needed(query *gojq.Query) []*gojq.FuncDef {
	boundPrelude()
	called := map[string]bool{}
	note := func(node any) {
		if f, ok := node.(*gojq.Func); ok {
			called[signature(f.Name, len(f.Args))] = true
		}
	}
	visit(reflect.ValueOf(query), note)
	var defs []*gojq.FuncDef
	for _, def := range slices.Backward(prelude) {
		if called[signature(def.Name, len(def.Args))] {
			visit(reflect.ValueOf(def), note)
			defs = append(defs, def)
		}
	}
	slices.Reverse(defs)
	return defs
}

// controls are gojq's own functions that do nothing but choose and repeat, one
// instruction at a time.
var controls = map[string]bool{
	"empty/0": true, "error/0": true, "error/1": true, "not/0": true, "select/1": true, "abs/0": true,
	"recurse/0": true, "recurse/1": true, "recurse/2": true, "range/1": true, "range/2": true, "range/3": true,
	"while/2": true, "until/2": true, "repeat/1": true, "limit/2": true, "skip/2": true, "nth/2": true,
	"first/1": true, "last/1": true, "isempty/1": true, "any/2": true, "all/2": true,
	"arrays/0": true, "objects/0": true, "iterables/0": true, "booleans/0": true, "numbers/0": true, "strings/0": true,
	"nulls/0": true, "values/0": true, "scalars/0": true, "finites/0": true, "normals/0": true,
	"path/1": true, "paths/0": true, "paths/1": true, "minor_units/1": true,
}

// known tells whether a function is jq's and open to mappings.
func known(name string, arity int) bool {
	s := signature(name, arity)
	return natives[s] != nil || controls[s] || inPrelude(name, arity)
}
