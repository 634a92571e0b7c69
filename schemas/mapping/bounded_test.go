// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/reason"
)

// TestExpressionsAreBounded runs what would never end, or take all memory.
func TestExpressionsAreBounded(t *testing.T) {
	list, object := "0", `"a":0`
	for i := range 2000 {
		list += fmt.Sprintf(",%d", i)
		object += fmt.Sprintf(`,"%d":%d`, i, i)
	}
	data := fmt.Sprintf(`{"a":[%s],"o":{%s}}`, list, object)
	for _, expr := range []string{
		// No end.
		`def f: f; f`,
		`def f: 1 + f; f`,
		`def f: [f]; f`,
		`def f: f, f; [f]`,
		`[repeat(1)]`,
		`[range(1e12)]`,
		`[limit(1e9; repeat("x"))]`,
		`last(range(1e12))`,
		`until(false; .)`,
		`[recurse(1)]`,
		`reduce range(1e12) as $i (0; . + 1)`,
		`[range(100)] | combinations(100)`,
		`reduce repeat(1) as $i ([]; . + [$i])`,
		`def f: try error("x") catch f; f`,
		`def f: (f | f)?; f`,
		`def f: [.[]?, 1] | f; f`,
		`[paths(true)] | def f: ., (.[]? | f); [f | f | f | f]`,
		// Texts that grow.
		`reduce range(100) as $i ("x"; . + .)`,
		`reduce range(60) as $i ("x"; "\(.)\(.)")`,
		`reduce range(60) as $i ("x"; @base64 "\(.)\(.)")`,
		`reduce range(60) as $i ("x"; [., .] | add)`,
		`reduce range(60) as $i ("x"; [., .] | join(""))`,
		`reduce range(60) as $i ("x"; . * 2)`,
		`reduce range(60) as $i ("\""; tojson)`,
		`reduce range(60) as $i ("&"; @html "\(.)\(.)")`,
		`reduce range(60) as $i (" "; @uri "\(.)\(.)")`,
		`reduce range(60) as $i ("x"; [explode[], explode[]] | implode)`,
		`reduce range(60) as $i ("x"; gsub("x"; "xx"))`,
		`reduce range(60) as $i ({a: "x"}; .a |= . + .)`,
		`"x" * 1e9`,
		`"x" * 8000000 | @base64 | @base64 | @base64`,
		`[range(1e6) | "x" * 8000000]`,
		`[range(1e5) | "x" * 10000]`,
		`[range(1000) | tostring] | join("x" * 1000000)`,
		`"x" * 100000 | gsub("x"; "y" * 100000)`,
		`"x" * 100000 | [match(""; "g")]`,
		`"a,b" * 1000000 | [splits(",")]`,
		`"x" * 8000000 | explode`,
		`"x" * 8000000 | split("")`,
		`"x" * 8000000 | . / ""`,
		`"x" * 8000000 | ascii_upcase | [range(1000) as $i | ascii_downcase]`,
		`0 | strftime("%1024Y" * 1000000)`,
		`"[0,0]," * 1000000 | "[\(.)0]" | fromjson`,
		// Regular expressions that are slow, and those that gojq would keep.
		`"a" * 30000 | gsub("(a*b|a)"; "x")`,
		`"a" * 30000 | [scan("(.*.*.*.*.*.*.*.*b|a)")]`,
		`"a" * 100000 | [splits("(a?){240}b")]`,
		`"a" * 1000000 | test("(a?){240}b")`,
		`"a" * 1000000 | test("a"; "g" * 1000000)`,
		`[range(10000) as $i | "a" * 100 | test("(a?){240}b"; "g" * $i)]`,
		// Assignments.
		`reduce range(60) as $i ({a: "x"}; .a = .a + .a)`,
		`reduce range(60) as $i ({a: "x"}; .a += .a)`,
		`reduce range(60) as $i ({a: "x"}; .a *= 2)`,
		`reduce range(60) as $i ({a: [1]}; .a //= 1 | .a += .a)`,
		`reduce range(40) as $i (1; [., .]) | .. = 1`,
		`reduce range(100000) as $i ([]; .[0] = .)`,
		`[range(100000)] | .[] = ([range(1000)])`,
		`def f: .a = f; f`,
		// Values that grow.
		`reduce range(60) as $i ([1]; . + .)`,
		`reduce range(60) as $i ([1]; [.[], .[]])`,
		`[[range(3000)], [range(3000)]] | [combinations]`,
		`[range(1000)] | map([range(1000)]) | transpose | transpose | transpose`,
		`null | [range(1000)] | [combinations(1000)]`,
		`reduce range(1000000) as $i ({}; . + {"k\($i)": 1})`,
		`reduce range(60) as $i (2; . * .)`,
		`"9" * 1000000 | tonumber`,
		`"9" * 1000000 | fromjson | . + 1`,
		// Values that hold themselves many times.
		`reduce range(40) as $i (1; [., .])`,
		`reduce range(40) as $i (1; [., .]) | tojson`,
		`reduce range(40) as $i (1; [., .]) | tostring`,
		`reduce range(40) as $i (1; [., .]) | flatten`,
		`reduce range(40) as $i (1; [., .]) | . == (. | map(.))`,
		`reduce range(40) as $i (1; [., .]) | [.. | 1]`,
		`reduce range(40) as $i (1; [., .]) | unique`,
		`reduce range(40) as $i (1; [., .]) | del(.[0])`,
		`reduce range(40) as $i (1; [., .]) | .[0] |= empty`,
		`reduce range(40) as $i (1; [., .]) | contains([1])`,
		`reduce range(40) as $i (1; [., .]) | error`,
		`reduce range(40) as $i (1; [., .]) | {a: .} | walk(.)`,
		`reduce range(100000) as $i (1; [.])`,
		`reduce range(100000) as $i (1; [.]) | tojson`,
		// Much work at once.
		`[range(100000)] as $a | [range(100000) | $a[]] | length`,
		`[range(100000)] as $a | [range(100000) | first($a[])] | length`,
		`[range(100000)] as $a | [range(100000) | $a | length, keys, reverse]`,
		`"x" * 1000000 | [range(100000) as $i | length]`,
		`"x" * 1000000 | [range(100000) as $i | .[0:1]]`,
		`"x" * 1000000 | [range(100000) as $i | .[$i]]`,
		`"x" * 1000000 | [range(100000) as $i | test("y")]`,
		`[range(100000)] - [range(100000) | . + 0.5]`,
		`[range(100000)] | contains([range(100000) | . + 0.5])`,
		`"x" * 1000000 | indices("y" * 1000)`,
		// Much of the body, in the part that gojq does not run.
		`[.a[] as $x | .a[] as $y | {a: $x, b: $y}]`,
		`[.a[] as $x | .a[] as $y | "\($x)-\($y)"]`,
		`[.a[] as $x | .a[] as $y | [$x, $y]]`,
		`[.a[] as $x | .a[] as $y | .a[] as $z | 1]`,
		`[.a[] as $x | .a | map(tostring) | join(",")]`,
		`[.a[] as $x | .a | tojson]`,
		`[.a[] | tostring * 100000]`,
		`[.a[] as $x | .a | map({(tostring): 1}) | add]`,
		`[.a[] as $x | .a | map({key: tostring, value: 1}) | from_entries | with_entries(.)]`,
		`[.a[] as $x | .o | map_values(tostring)]`,
		`[.a[] as $x | .a[] | IN("x", "y")]`,
		`[.a[] as $x | .a[] as $y | select(any(.a[]; . < 0))]`,
	} {
		t.Run(expr, func(t *testing.T) {
			def := definition(t, "customer", "fields:", "  name: '"+strings.ReplaceAll(expr, "'", "''")+"'")
			m := compiled(t, def)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := m.Map(t.Context(), acme(data))
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			var e *Error
			if !errors.As(err, &e) || e.Reason != reason.MappingFailed {
				t.Fatalf("got %.200v, want reason %s", err, reason.MappingFailed)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error is %d bytes long", len(err.Error()))
			}
			// Everything that was ever allocated is more than what was alive at once.
			if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 256 {
				t.Errorf("allocated %d MiB, %v", allocated, err)
			}
			t.Logf("%d MiB, %v, %.120s", (after.TotalAlloc-before.TotalAlloc)>>20, took, e.Err.Error()[strings.LastIndex(e.Err.Error(), ": ")+2:])
		})
	}
}

// TestMappingsStayFarBelowTheBounds counts what the catalog takes for its fixtures.
func TestMappingsStayFarBelowTheBounds(t *testing.T) {
	defs := catalog(t)
	for _, f := range fixtures(t) {
		m := compiled(t, defs[f.Provider])
		r := m.rule(f.Want.EventType)
		if r == nil {
			continue
		}
		input, err := r.shape.Decode([]byte(f.Body))
		if err != nil {
			continue // a form
		}
		b := newBudget(t.Context())
		run := newRunner(b, input, f.Want.EventType, map[string]any{})
		for _, field := range r.fields {
			if _, err := run.field(field); err != nil && b.exceeded != nil {
				t.Errorf("%s: %v", f.Name(), err)
			}
		}
		if steps, bytes := maxSteps-b.steps, maxBytes-b.bytes; steps > maxSteps/100 || bytes > maxBytes/100 {
			t.Errorf("%s takes %d steps and %d bytes", f.Name(), steps, bytes)
		}
	}
}

// TestLoadRefusesWhatHasNoBound names what expressions may not do at all.
func TestLoadRefusesWhatHasNoBound(t *testing.T) {
	for expr, want := range map[string]string{
		`setpath(["a"]; 1)`: "setpath", `.[$type] |= 1`: "updates an element", `.[1000000000] = 1`: "updates an element", `.[.a] += 1`: "updates an element",
		`.[1000000000] |= 1`: "updates an element", `getpath([1000000000]) |= 1`: "getpath", `del(getpath(["a"]))`: "getpath", `nth(1000000000) |= 1`: "left of an assignment", `def f: .[1000000000]; f |= 1`: "left of an assignment",
		`getpath([1000000000]) = 1`: "getpath", `to_entries = 1`: "left of an assignment", `test("a{1000}a")`: "instructions", `test("` + strings.Repeat("a", 1001) + `")`: "longer", `test("(")`: "is wrong",
		`env`: "env", `$ENV`: "$ENV", `input_line_number`: "input_line_number", `now`: "now", `getpath(["a"]) |= 1`: "getpath", `ascii`: "ascii", `@base32`: "no format", `splits(.a)`: "not a literal",
		`test(.a)`: "not a literal", `.a as $r | sub($r; "")`: "not a literal", `test("a\(.b)")`: "not a literal", `fromstream(1)`: "fromstream",
		`$__budget`: "$__budget", `{$__budget}`: "$__budget", `1 as $__budget | 1`: "$__budget", `_match("a"; null; true)`: "_match",
		`def map(f): f; map(1)`: "defines map anew", `def length: 1; length`: "defines length anew", `def f(add): 1; add`: "defines add anew", `def f($add): 1; add`: "defines add anew", `@nope`: "no format", `limit(1; input)`: "input",
	} {
		_, err := compileExpression(expr, &body.Shape{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", expr, err, want)
		}
	}
}

// TestEveryNativeIsGojqs compiles the call of each.
func TestEveryNativeIsGojqs(t *testing.T) {
	for name, n := range natives {
		args := make([]any, 3)
		v, _ := n.code().Run(nil, args[:name[len(name)-1]-'0']...).Next()
		if err, failed := v.(error); failed && strings.Contains(err.Error(), "not defined") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range quick {
		if natives[name] == nil {
			t.Errorf("%s is quick and not a native", name)
		}
	}
}

func TestNativesOperateOnSimpleValues(t *testing.T) {
	for expr, want := range map[string]string{`[1,2] | add`: "3", `"a" * 3`: "aaa", `[3,1] | sort | tojson`: "[1,3]", `"a-b" | sub("-"; "+")`: "a+b"} {
		e, err := compileExpression(expr, &body.Shape{})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := newRunner(newBudget(t.Context()), nil, "", nil).value(e); err != nil || fmt.Sprint(v) != want {
			t.Errorf("%s: got %v, %v", expr, v, err)
		}
	}
}
