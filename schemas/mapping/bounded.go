// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// gojq counts no memory, and one instruction of it may take any time: "x" * 1e9, or
// the comparison of a value that refers to itself many times over. So every call of
// a function or operator that gojq implements in Go is replaced, in the parsed
// expression, by a call of ours that takes the cost from the budget first. The
// budget travels in a variable.
const budgetVariable = "$__budget"

// Names with a space, which no expression can write.
const (
	boundedPrefix = "bounded " // and a native's name
	spendIter     = "spend on iterating"
	spendIndex    = "spend on indexing"
	spendUpdate   = "spend on updating"
	spendKey      = "spend on a key"
	// assigned is the variable of what an assignment assigns.
	assigned = "$ assigned"
)

// patterns are the functions whose first argument is a regular expression. It must
// be a literal, so that what it costs is known before it runs.
var patterns = map[string]bool{"match": true, "test": true, "capture": true, "scan": true, "splits": true, "sub": true, "gsub": true}

// bound rewrites a parsed expression in place and gives the regular expressions in
// it. The error names what expressions may not use.
func bound(query *gojq.Query) (regexps, error) {
	b := bounder{local: map[string]bool{}, regexps: regexps{}}
	b.collect(reflect.ValueOf(query))
	b.walk(reflect.ValueOf(query))
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	query.FuncDefs = append(needed(query), query.FuncDefs...)
	return b.regexps, nil
}

// bounder rewrites the nodes of an expression.
type bounder struct {
	// trusted is set for the prelude.
	trusted bool
	// local are the functions that the expression defines.
	local   map[string]bool
	regexps regexps
	errs    []error
}

func (b *bounder) refuse(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("jq "+format, args...))
}

// collect notes what the expression defines.
func (b *bounder) collect(v reflect.Value) {
	visit(v, func(node any) {
		def, ok := node.(*gojq.FuncDef)
		if !ok {
			return
		}
		if known(def.Name, len(def.Args)) {
			b.refuse("defines %s anew", def.Name)
		}
		b.local[signature(def.Name, len(def.Args))] = true
		for _, arg := range def.Args {
			name := strings.TrimPrefix(arg, "$") // $x is also the function x
			if known(name, 0) {
				b.refuse("defines %s anew", name)
			}
			b.local[signature(name, 0)] = true
		}
	})
}

// walk rewrites from the leaves to the root.
func (b *bounder) walk(v reflect.Value) {
	visit(v, func(node any) {
		switch n := node.(type) {
		case *gojq.Func:
			b.function(n)
		case *gojq.Query:
			b.operator(n)
		case *gojq.Index:
			if n.Str != nil && n.Str.Queries != nil {
				n.Str, n.Start = nil, interpolation(n.Str, "tostring")
			}
		case *gojq.ObjectKeyVal:
			if n.KeyString != nil && n.KeyString.Queries != nil {
				if n.Val == nil {
					b.refuse("has an object with a computed name and no value")
				}
				n.KeyString, n.KeyQuery = nil, interpolation(n.KeyString, "tostring")
			}
		case *gojq.PatternObject:
			if n.KeyString != nil && n.KeyString.Queries != nil {
				n.KeyString, n.KeyQuery = nil, interpolation(n.KeyString, "tostring")
			}
		case *gojq.Term:
			b.term(n)
		}
	})
}

// visit calls f for every node of a syntax tree, the inner ones first. The tree has
// two dozen node types; reflection visits them all alike.
func visit(v reflect.Value, f func(node any)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			visit(v.Elem(), f)
			f(v.Interface())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i), f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), f)
		}
	}
}

// function redirects the call of a native.
func (b *bounder) function(f *gojq.Func) {
	s := signature(f.Name, len(f.Args))
	switch {
	case f.Name[0] == '$' && f.Name != "$ENV" || b.local[s]:
		return
	case takesPath[s] && !b.trusted:
		b.noGetpath(f.Args[0])
	case natives[s] != nil && (b.trusted || f.Name[0] != '_'):
		*f = *boundedCall(f.Name, f.Args...)
		return
	case b.trusted:
		return
	case f.Name[0] == '_' || !known(f.Name, len(f.Args)):
		b.refuse("uses %s, which is not possible here", f.Name)
	}
	if patterns[f.Name] || s == "split/2" {
		b.pattern(f)
	}
}

// pattern takes down the regular expression of a call.
func (b *bounder) pattern(f *gojq.Func) {
	if !literal(f.Args[0]) {
		b.refuse("uses %s with a regular expression that is not a literal", f.Name)
		return
	}
	if err := b.regexps.add(f.Args[0].Term.Str.Str); err != nil {
		b.refuse("uses %s with a regular expression that %w", f.Name, err)
	}
}

// takesPath are the functions whose argument is a path.
var takesPath = map[string]bool{"path/1": true, "paths/1": true, "del/1": true}

// noGetpath refuses getpath where a path is meant: ours gives a value alone.
func (b *bounder) noGetpath(q *gojq.Query) {
	visit(reflect.ValueOf(q), func(node any) {
		if f, ok := node.(*gojq.Func); ok && f.Name == boundedPrefix+"getpath" {
			b.refuse("uses getpath as a path, which is not possible here")
		}
	})
}

func literal(q *gojq.Query) bool {
	return q.Term != nil && q.Term.Type == gojq.TermTypeString && q.Term.Str.Queries == nil && len(q.Term.SuffixList) == 0
}

var operators = map[gojq.Operator]string{
	gojq.OpAdd: "_add", gojq.OpSub: "_subtract", gojq.OpMul: "_multiply", gojq.OpDiv: "_divide", gojq.OpMod: "_modulo",
	gojq.OpEq: "_equal", gojq.OpNe: "_notequal", gojq.OpGt: "_greater", gojq.OpLt: "_less", gojq.OpGe: "_greatereq", gojq.OpLe: "_lesseq",
}

func (b *bounder) operator(q *gojq.Query) {
	if name, ok := operators[q.Op]; ok {
		*q = gojq.Query{FuncDefs: q.FuncDefs, Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: boundedCall(name, q.Left, q.Right)}}
		return
	}
	switch {
	case q.Op == gojq.OpModify:
		b.update(q)
	case !b.trusted:
		b.assignment(q)
	}
}

// assignment writes l = r as r as $x | l |= $x, and l += r as r as $x | l |= . + $x.
func (b *bounder) assignment(q *gojq.Query) {
	value := termQuery(&gojq.Func{Name: assigned})
	if q.Op != gojq.OpAssign {
		name, ok := assignments[q.Op]
		switch this := (&gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeIdentity}}); {
		case ok:
			value = termQuery(boundedCall(name, this, value))
		case q.Op == gojq.OpUpdateAlt:
			value = &gojq.Query{Op: gojq.OpAlt, Left: this, Right: value}
		default:
			return
		}
	}
	update := &gojq.Query{Op: gojq.OpModify, Left: q.Left, Right: value}
	b.update(update)
	*q = gojq.Query{FuncDefs: q.FuncDefs, Op: gojq.OpPipe, Left: q.Right, Patterns: []*gojq.Pattern{{Name: assigned}}, Right: update}
}

// assignments are the operators that assignments compute with.
var assignments = map[gojq.Operator]string{
	gojq.OpUpdateAdd: "_add", gojq.OpUpdateSub: "_subtract", gojq.OpUpdateMul: "_multiply", gojq.OpUpdateDiv: "_divide", gojq.OpUpdateMod: "_modulo",
}

// update bounds l |= r.
func (b *bounder) update(q *gojq.Query) {
	b.updated(q.Left)
	update := *q
	update.FuncDefs = nil
	*q = gojq.Query{FuncDefs: q.FuncDefs, Op: gojq.OpPipe, Left: callQuery(spendUpdate), Right: &update}
}

// longestGap is the largest index that an update may name: it makes an array that
// is so long.
const longestGap = "1000"

// updated refuses what on the left of |= could make an array of any length.
func (b *bounder) updated(q *gojq.Query) {
	b.noGetpath(q)
	visit(reflect.ValueOf(q), func(node any) {
		switch n := node.(type) {
		case *gojq.Index:
			if !n.IsSlice && n.Start != nil && !smallIndex(n.Start) {
				b.refuse("updates an element whose index is not a literal below %s", longestGap)
			}
		case *gojq.Func:
			if !controls[signature(n.Name, len(n.Args))] && !strings.Contains(n.Name, " ") && n.Name[0] != '$' {
				b.refuse("uses %s on the left of an assignment, which is not possible here", n.Name)
			}
		}
	})
}

func smallIndex(q *gojq.Query) bool {
	return q.Term != nil && q.Term.Type == gojq.TermTypeNumber && len(q.Term.SuffixList) == 0 && len(q.Term.Number) < len(longestGap)
}

// term bounds interpolation, formats, iteration and the reading of characters.
func (b *bounder) term(t *gojq.Term) {
	switch {
	case t.Type == gojq.TermTypeString && t.Str.Queries != nil:
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: interpolation(t.Str, "tostring"), SuffixList: t.SuffixList}
	case t.Type == gojq.TermTypeFormat:
		b.format(t)
	case t.Type == gojq.TermTypeIndex && reads(t.Index):
		head := gojq.Suffix{Index: t.Index}
		*t = gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: append([]*gojq.Suffix{&head}, t.SuffixList...)}
	}
	for i := 0; i < len(t.SuffixList); i++ {
		switch s := t.SuffixList[i]; {
		case s.Iter:
			i = spendBefore(t, i, spendIter)
		case s.Index != nil && reads(s.Index):
			i = spendBefore(t, i, spendIndex)
		}
	}
}

// reads tells whether an index may read a text or an array, which takes as long as
// it is. It also bounds the key.
func reads(x *gojq.Index) bool {
	if x.Start != nil && !x.IsSlice && x.Start.Term != nil && x.Start.Term.Type == gojq.TermTypeNumber {
		return true
	}
	if x.Start != nil && !x.IsSlice {
		x.Start = pipe(x.Start, callQuery(spendKey))
	}
	return x.Start != nil || x.End != nil
}

// spendBefore puts a call before a term's suffix i, and returns the suffix's new
// place. The call returns its input, so a path goes through it.
func spendBefore(t *gojq.Term, i int, call string) int {
	head := *t
	head.SuffixList = slices.Clone(t.SuffixList[:i])
	*t = gojq.Term{
		Type:       gojq.TermTypeQuery,
		Query:      pipe(&gojq.Query{Term: &head}, callQuery(call)),
		SuffixList: slices.Clone(t.SuffixList[i:]),
	}
	return 0
}

// formats are the functions that @name stands for.
var formats = map[string]string{
	"@text": "tostring", "@json": "tojson", "@html": "_tohtml", "@uri": "_touri", "@urid": "_tourid", "@csv": "_tocsv",
	"@tsv": "_totsv", "@sh": "_tosh", "@base64": "_tobase64", "@base64d": "_tobase64d",
}

func (b *bounder) format(t *gojq.Term) {
	name, ok := formats[t.Format]
	switch {
	case !ok:
		b.refuse("uses %s, which is no format", t.Format)
	case t.Str == nil:
		*t = gojq.Term{Type: gojq.TermTypeFunc, Func: boundedCall(name), SuffixList: t.SuffixList}
	case t.Str.Queries != nil:
		*t = gojq.Term{Type: gojq.TermTypeQuery, Query: interpolation(t.Str, name), SuffixList: t.SuffixList}
	}
}

// interpolation writes a string with queries out as a sum, as gojq does.
func interpolation(s *gojq.String, format string) *gojq.Query {
	var sum *gojq.Query
	for _, part := range s.Queries {
		if part.Term.Str == nil {
			part = pipe(part, termQuery(boundedCall(format)))
		}
		if sum == nil {
			sum = part
		} else {
			sum = termQuery(boundedCall("_add", sum, part))
		}
	}
	return sum
}

func boundedCall(name string, args ...*gojq.Query) *gojq.Func {
	return &gojq.Func{Name: boundedPrefix + name, Args: append([]*gojq.Query{termQuery(&gojq.Func{Name: budgetVariable})}, args...)}
}

func callQuery(name string) *gojq.Query {
	return termQuery(&gojq.Func{Name: name, Args: []*gojq.Query{termQuery(&gojq.Func{Name: budgetVariable})}})
}

func termQuery(f *gojq.Func) *gojq.Query {
	return &gojq.Query{Term: &gojq.Term{Type: gojq.TermTypeFunc, Func: f}}
}

func pipe(l, r *gojq.Query) *gojq.Query { return &gojq.Query{Op: gojq.OpPipe, Left: l, Right: r} }

// functions are what bounded expressions call.
var functions = func() []gojq.CompilerOption {
	options := []gojq.CompilerOption{
		gojq.WithFunction("minor_units", 1, 1, minorUnits),
		// Iterating copies an array with the place of every element.
		spender(spendIter, func(v any, _ int) int { return 3 * width(v) }),
		spender(spendIndex, func(v any, _ int) int {
			if s, ok := v.(string); ok {
				return len(s)
			}
			return 0
		}),
		spender(spendUpdate, func(v any, most int) int { return 2 * size(v, most) }),
		// An array is searched for an array that is its key.
		spender(spendKey, func(v any, most int) int {
			if _, ok := v.([]any); ok {
				return size(v, most) << 16
			}
			return 0
		}),
	}
	for name, n := range natives {
		if name != matchName {
			options = append(options, callable(name, n.call))
		}
	}
	return options
}()

// callable is a native as expressions call it, with the budget before its arguments.
func callable(name string, call func(b *budget, in any, args []any) (any, error)) gojq.CompilerOption {
	base, _, _ := strings.Cut(name, "/")
	n := natives[name].arity + 1
	return gojq.WithFunction(boundedPrefix+base, n, n, func(in any, args []any) any {
		v, err := call(args[0].(*budget), in, args[1:]) //nolint:errcheck,forcetypeassert // expressions cannot name the variable
		if err != nil {
			return err
		}
		return v
	})
}

// spender is a function that returns its input after its cost was taken.
func spender(name string, cost func(v any, most int) int) gojq.CompilerOption {
	return gojq.WithFunction(name, 1, 1, func(v any, args []any) any {
		b := args[0].(*budget) //nolint:errcheck,forcetypeassert // expressions cannot name the variable
		if err := b.spend(cost(v, b.bytes)); err != nil {
			return err
		}
		return v
	})
}
