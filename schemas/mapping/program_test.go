// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/itchyny/gojq"
)

func TestProgram(t *testing.T) {
	for source, want := range map[string]string{
		`.`:                              `{"a":[1,2],"n":null,"s":"x"}`,
		`.a[0] = 7`:                      `{"a":[7,2],"n":null,"s":"x"}`,
		`.a[] += 1`:                      `{"a":[2,3],"n":null,"s":"x"}`,
		`.a[1] -= 1 | .a[0] *= 4`:        `{"a":[4,1],"n":null,"s":"x"}`,
		`.n //= "d" | .s //= "d"`:        `{"a":[1,2],"n":"d","s":"x"}`,
		`.n = .s | .s = (.a | length)`:   `{"a":[1,2],"n":"x","s":2}`,
		`.a |= map(. * 2) | del(.n, .s)`: `{"a":[2,4]}`,
		`.new.deep = "x" | {new}`:        `{"new":{"deep":"x"}}`,
		`.s |= gsub("x"; "y") | {s}`:     `{"s":"y"}`,
		`with_entries(select(.value != null)) | .a %= 2`: "jq fails: cannot modulo array and number",
		`.n | ascii_upcase`:         "jq fails: ascii_upcase cannot be applied to null",
		`.s | tonumber`:             "jq fails: tonumber cannot be applied to a string that holds something else",
		`.a + .s`:                   "jq fails: cannot add array and string",
		`.s.b`:                      "jq fails: expected an object but got string",
		`.n[]`:                      "jq fails: cannot iterate over null",
		`.a[0] / 0`:                 "jq fails: cannot divide number by zero",
		`.s | startswith(1)`:        "jq fails: startswith cannot be applied to string",
		`.s | fromjson`:             "jq fails: fromjson cannot be applied to a string that holds something else",
		`error(.s)`:                 "jq fails: error",
		`empty`:                     "gives no value",
		`., .`:                      "gives more than one value",
		`def f: f; f`:               "did not end within 1000000 steps",
		`"x" * 1000000000`:          "needs more than 64 MiB",
		`., ("x" * 1000000000)`:     "needs more than 64 MiB",
		`try ("x" * 1e9) catch 1`:   "needs more than 64 MiB",
		`first(., ("x" * 1000000))`: `{"a":[1,2],"n":null,"s":"x"}`,
	} {
		p, err := CompileProgram(source)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		var got string
		v, err := p.Run(t.Context(), map[string]any{"a": []any{1, 2}, "n": nil, "s": "x"})
		if err != nil {
			got = err.Error()
		} else {
			text, _ := gojq.Marshal(v)
			got = string(text)
		}
		if got != want {
			t.Errorf("%s gives %s, want %s", source, got, want)
		}
	}
	for _, source := range []string{`$__budget`, `input`, `.a |`, `$ENV`, `$nobody`} {
		if _, err := CompileProgram(source); err == nil {
			t.Errorf("%s compiles", source)
		}
	}
}

// TestAssignmentsAreGojqs holds what is written out to what gojq does itself.
func TestAssignmentsAreGojqs(t *testing.T) {
	for _, source := range []string{
		`.a = 1`, `.a = (1, 2)`, `.a += (1, 2)`, `.a = .b`, `.a[2] = 1`, `.a[] = 1`, `(.a, .b) = 3`, `.a[0] //= 1`, `.c.d.e //= 1`,
		`.a += .a`, `.b -= 1`, `.b *= 2`, `.b /= 2`, `.b %= 2`, `.a[1:] = [9]`, `.a = (.b = 5)`, `(.a | .[0]) = 1`, `.. |= .`, `.a[select(false)?] = 1`,
		`.b = empty`, `(.a[] | select(. > 1)) = 0`, `.a = . | .b = 1`, `. = 1`, `.["x"] = 1`, `."y" += 1`, `first(.a[]) = 9`,
	} {
		query, err := gojq.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		p, err := CompileProgram(source)
		if err != nil {
			if !strings.Contains(err.Error(), "not possible here") && !strings.Contains(err.Error(), "not a literal") {
				t.Errorf("%s: %v", source, err)
			}
			continue
		}
		input := func() any { return map[string]any{"a": []any{1, 2, 3}, "b": 7} }
		var want, got []any
		for iter := query.Run(input()); ; {
			v, ok := iter.Next()
			if !ok {
				break
			}
			want = append(want, v)
		}
		b := newBudget(t.Context())
		for iter := p.code.RunWithContext(b, input(), b); ; {
			v, ok := iter.Next()
			if !ok {
				break
			}
			got = append(got, v)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s gives %v, want %v", source, got, want)
		}
	}
}

// TestRegularExpressionsAreNotKept: whoever sends another one with every program must
// not fill the memory.
func TestRegularExpressionsAreNotKept(t *testing.T) {
	alive := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what a pool keeps goes with the second
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	run := func(n int) {
		p, err := CompileProgram(fmt.Sprintf(`test("(a?){200}b%d")`, n))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(t.Context(), "aaa"); err != nil {
			t.Fatal(err)
		}
	}
	run(0)
	before := alive()
	for n := range 100 {
		run(n)
	}
	if after := alive(); after > before+2<<20 {
		t.Errorf("%d KiB are kept", (after-before)>>10)
	}
}
