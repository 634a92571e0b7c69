// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/provider"
)

// The reference is gojq alone, with the expression as it is written, over the whole
// body.
type reference struct{ code *gojq.Code }

func newReference(source string) (*reference, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$type", "$headers"}), gojq.WithFunction("minor_units", 1, 1, minorUnits))
	return &reference{code}, err
}

func (r *reference) value(b *budget, input any, headers map[string]any) (any, error) {
	iter := r.code.RunWithContext(b, input, "a.b", headers)
	v, ok := iter.Next()
	if !ok {
		return nil, errNone
	}
	if err, failed := v.(error); failed {
		return nil, explain(err)
	}
	if next, more := iter.Next(); more {
		if err, failed := next.(error); failed {
			return nil, explain(err)
		}
		return nil, errMany
	}
	return v, nil
}

var testHeaders = map[string]any{"x-sent": "yes", "x-id": "7"}

// outcome is what an evaluation ends with: a value as JSON, or a message.
func outcome(v any, err error) string {
	if err != nil {
		return "fails: " + err.Error()
	}
	text, _ := gojq.Marshal(v)
	return string(text)
}

// differ says how our evaluation of an expression differs from gojq's.
func differ(t testing.TB, e *expression, shape *body.Shape, ref *reference, data []byte) string {
	t.Helper()
	part, errPart := shape.Decode(data)
	whole, errWhole := body.Decode(data)
	if errWhole != nil {
		return "" // a number out of range, which may not be wanted
	}
	if errPart != nil {
		return "only the shape fails: " + errPart.Error()
	}
	ours, theirs := newBudget(t.Context()), newBudget(t.Context())
	v, err := newRunner(ours, part, "a.b", testHeaders).value(e)
	got := outcome(v, err)
	want := outcome(ref.value(theirs, whole, testHeaders))
	switch {
	case ours.exceeded != nil || theirs.exceeded != nil:
		return ""
	case got != want:
		return fmt.Sprintf("gives %s\nin gojq %s", got, want)
	case err == nil && string(appendJSON(nil, v)) != want:
		return fmt.Sprintf("is written %s\nby gojq %s", appendJSON(nil, v), want)
	}
	return ""
}

// TestCatalogAgainstGojq holds every expression of the catalog to gojq, over the
// fixtures of its provider, some of others, and bodies that were tampered with.
func TestCatalogAgainstGojq(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	bodies := map[string][][]byte{}
	var all [][]byte
	for _, f := range fixtures(t) {
		data := []byte(f.Body)
		bodies[f.Provider] = append(bodies[f.Provider], data)
		bodies[f.Provider] = append(bodies[f.Provider], tampered(rnd, data))
		all = append(all, data)
	}
	for source, provider := range catalogExpressions(t) {
		shape := &body.Shape{}
		e, err := compileExpression(source, shape)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		ref, err := newReference(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range append(bodies[provider][:len(bodies[provider]):len(bodies[provider])], all[rnd.IntN(len(all))], all[rnd.IntN(len(all))]) {
			if how := differ(t, e, shape, ref, data); how != "" {
				t.Fatalf("%s: %s\nover %s", source, how, data)
			}
		}
	}
}

// catalogExpressions are all expressions of the catalog, with one provider that has
// them.
func catalogExpressions(t testing.TB) map[string]string {
	t.Helper()
	defs, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range defs.Names() {
		for _, rule := range defs[name].Events {
			for _, source := range append(slices.Collect(maps.Values(rule.Fields)), rule.IDSuffix, rule.Deleted) {
				if source != "" {
					all[source] = name
				}
			}
		}
	}
	return all
}

// tampered replaces some values of a body by others.
func tampered(rnd *rand.Rand, data []byte) []byte {
	v, err := body.Decode(data)
	if err != nil {
		return data
	}
	g := generator{next: func(n int) int { return rnd.IntN(n) }}
	out, err := gojq.Marshal(tamper(&g, v))
	if err != nil {
		return data
	}
	return out
}

func tamper(g *generator, v any) any {
	if g.next(12) == 0 {
		return g.json(2)
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = tamper(g, v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = tamper(g, v[k])
		}
	}
	return v
}

// FuzzFastPath holds random expressions over random bodies to gojq.
func FuzzFastPath(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		choices := make([]byte, 60)
		for i := range choices {
			choices[i] = byte(rnd.Uint32())
		}
		f.Add(choices, choices[30:])
	}
	f.Fuzz(func(t *testing.T, choices, bodyChoices []byte) {
		compare(t, newGenerator(choices), newGenerator(bodyChoices))
	})
}

// TestRandomExpressionsAgainstGojq goes wider than the fuzz test's seeds.
func TestRandomExpressionsAgainstGojq(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range randomExpressions {
		compare(t, &generator{next: rnd.IntN}, &generator{next: rnd.IntN})
	}
}

const randomExpressions = 1000

func compare(t *testing.T, expressions, bodies *generator) {
	t.Helper()
	source := expressions.expression(4)
	data, err := json.Marshal(bodies.json(4))
	if err != nil {
		t.Fatal(err)
	}
	ref, errRef := newReference(source)
	shape := &body.Shape{}
	e, err := compileExpression(source, shape)
	if err != nil || errRef != nil {
		if errRef == nil && !strings.Contains(err.Error(), "jq uses") && !strings.Contains(err.Error(), "jq updates") {
			t.Fatalf("%s: %v", source, err)
		}
		return
	}
	if how := differ(t, e, shape, ref, data); how != "" {
		t.Errorf("%s\nover %s\n%s", source, data, how)
	}
}

// generator makes expressions and values out of choices.
type generator struct {
	next func(n int) int
	vars []string
}

// newGenerator chooses by bytes; when they end, always the first.
func newGenerator(choices []byte) *generator {
	return &generator{next: func(n int) int {
		if len(choices) == 0 {
			return 0
		}
		c := int(choices[0])
		choices = choices[1:]
		return c % n
	}}
}

var names = []string{"a", "b", "c", "id", "key", "value", "items", "name"}

func (g *generator) pick(list ...string) string { return list[g.next(len(list))] }

// json is a value of a body.
func (g *generator) json(depth int) any {
	kinds := 11
	if depth == 0 {
		kinds = 8
	}
	switch g.next(kinds) {
	case 0:
		return nil
	case 1:
		return g.next(2) == 0
	case 2:
		return g.next(5) - 1
	case 3:
		return []float64{0.5, 1e3, -2.25, 1e300, 1767225600}[g.next(5)]
	case 4:
		return json.Number([]string{"12345678901234567890123", "9007199254740993", "-1", "9223372036854775807"}[g.next(4)])
	case 5:
		return g.pick("", "x", "a, b", "EUR", "é☕", "12.34", "7", "2026-01-01T00:00:00Z", "refs/heads/main", "null", "<&'\">", "A b")
	case 6:
		return g.pick("id", "key", "x", "true")
	case 7:
		return g.next(200)
	case 8:
		list := make([]any, g.next(4))
		for i := range list {
			list[i] = g.json(depth - 1)
		}
		return list
	}
	object := map[string]any{}
	for range g.next(5) {
		object[g.pick(names...)] = g.json(depth - 1)
	}
	return object
}

// expression is a jq expression.
func (g *generator) expression(depth int) string {
	if depth == 0 {
		return g.leaf()
	}
	e := func() string { return g.expression(depth - 1) }
	switch g.next(26) {
	case 0:
		return g.leaf()
	case 1, 2:
		return e() + " | " + e()
	case 3:
		return "(" + e() + ")" + g.suffix(depth)
	case 4:
		return g.leaf() + g.suffix(depth) + g.suffix(depth)
	case 5:
		return e() + " // " + e()
	case 6:
		return "(" + e() + ") " + g.pick("==", "!=", "<", ">", "<=", ">=") + " (" + e() + ")"
	case 7:
		return "(" + e() + ") " + g.pick("and", "or") + " (" + e() + ")"
	case 8:
		return "(" + e() + ") " + g.pick("+", "+", "-", "*", "/", "%") + " (" + e() + ")"
	case 9:
		return "if " + e() + " then " + e() + g.pick("", " else "+e(), " elif "+e()+" then "+e()+" else null") + " end"
	case 10:
		return "[" + e() + "]"
	case 11:
		return "[" + g.leaf() + "[]? | " + e() + "]"
	case 12:
		return g.object(e)
	case 13:
		return "{" + `"x": "X", "id": "I", "7": ` + g.leaf() + "}[" + e() + "]"
	case 14:
		name := g.pick("$x", "$y")
		bound := e()
		g.vars = append(g.vars, name)
		defer func() { g.vars = g.vars[:len(g.vars)-1] }()
		return "(" + bound + " as " + name + " | " + e() + ")"
	case 15:
		return g.pick("map", "select", "map_values", "with_entries", "first", "any", "all", "IN", "add", "sort_by", "group_by", "del", "walk", "recurse", "last", "path") + "(" + e() + ")"
	case 16:
		return "(" + e() + ", " + e() + ")"
	case 17:
		return "try (" + e() + ")" + g.pick("", " catch 1", " catch .")
	case 18:
		return `"` + g.pick("", "a ") + `\(` + e() + `)` + g.pick("", " b", `\(`+e()+")") + `"`
	case 19:
		return g.pick("any", "all", "limit", "IN") + "(" + e() + "; " + e() + ")"
	case 20:
		return g.pick("split", "join", "startswith", "endswith", "ltrimstr", "rtrimstr", "contains", "has", "index", "minor_units", "flatten", "inside", "error") + "(" + e() + ")"
	case 21:
		return g.pick(`test("^[a-z]")`, `sub("a"; "b")`, `gsub("[a-z]"; "<\(.)>")`, `[scan("[0-9]")]`, `capture("(?<n>[a-z])")`, `[match("a";"g").offset]`, `splits(", *")`, `split(", *"; null)`)
	case 22:
		return "reduce " + g.leaf() + "[]? as $i (" + e() + "; " + e() + ")"
	case 23:
		return "(" + g.leaf() + ") |= (" + e() + ")"
	case 24:
		return "(def f(g): g | g; f(" + e() + "))"
	}
	return g.pick("@base64", "@json", "@text", "@uri", "@html", "@csv", "@sh") + g.pick("", ` "v=\(`+e()+`)"`)
}

func (g *generator) object(e func() string) string {
	name := g.pick(names...)
	return "{" + g.pick(name, name+": ("+e()+")", `"`+name+`"`, "("+e()+"): 1", `"\(`+e()+`)": 2`, "$type", `@base64 "\(.)": 1`) +
		", " + g.pick(names...) + ": " + "(" + e() + ")}" + g.pick("", " | map_values(values)", " | with_entries(.)", "."+name)
}

func (g *generator) leaf() string {
	switch g.next(9) {
	case 0:
		return "."
	case 1, 2:
		return "." + g.pick(names...)
	case 3:
		return "." + g.pick(names...) + "." + g.pick(names...)
	case 4:
		return g.pick("null", "true", "false", "0", "1", "-1", "2.5", `"x"`, `""`, `", "`, `"id"`, "[]", "{}", `"EUR"`, "1e1000", "12345678901234567890")
	case 5:
		return g.pick(append([]string{"$type", "$headers", `$headers["x-id"]`}, g.vars...)...)
	case 6:
		return g.pick("not", "length", "tostring", "tonumber", "todate", "fromdate", "keys", "to_entries", "from_entries", "add", "first", "last",
			"ascii_upcase", "ascii_downcase", "floor", "type", "values", "empty", "tojson", "fromjson", "unique", "sort", "reverse", "any", "all", "flatten",
			"min", "max", "explode", "implode", "trim", "paths", "..", "error", "abs", "nulls", "strings", "isempty(.[])", "gmtime", "toboolean", "tojson")
	case 7:
		return g.pick(".[0]", ".[]", ".[]?", ".[-1]", ".[1:]", ".[:-1]", `.["a"]`, ".a?", ".a[0].b", ".items[0]?", ".items[].id", ".[2.5]", ".items[]?.a", ".a.b?.c", ".a??")
	}
	return strconv.Itoa(g.next(3))
}

func (g *generator) suffix(depth int) string {
	switch g.next(8) {
	case 0:
		return "." + g.pick(names...)
	case 1:
		return "[]"
	case 2:
		return "[]?"
	case 3:
		return "[0]"
	case 4:
		return "." + g.pick(names...) + "?"
	case 5:
		return "[" + g.expression(depth-1) + "]"
	case 6:
		return "[" + g.leaf() + ":" + g.leaf() + "]" + g.pick("", "?")
	}
	return "?"
}
