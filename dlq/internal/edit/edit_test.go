// SPDX-License-Identifier: Apache-2.0

package edit

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPatch(t *testing.T) {
	for name, c := range map[string]struct{ patch, payload, want, diff, err string }{
		"changes":         {`.amount |= tonumber`, `{"id":"a","amount":"12"}`, `{"amount":12,"id":"a"}`, "@@ line 2\n-  \"amount\": \"12\",\n+  \"amount\": 12,\n", ""},
		"keeps digits":    {`.x = 1`, `{"big":12345678901234567890.123,"n":9007199254740993}`, `{"big":12345678901234567890.123,"n":9007199254740993,"x":1}`, "+  \"x\": 1", ""},
		"changes nothing": {`.`, `{"b":1, "a":2}`, "", "", ""},
		"fails":           {`.a | ascii_upcase`, `{"a":null}`, "", "", "the patch cannot be applied to it: jq fails: ascii_upcase cannot be applied to null"},
		"quotes nothing":  {`.a + .b`, `{"a":"4111111111111111","b":1}`, "", "", "cannot add string and number"},
		"nothing":         {`empty`, `{}`, "", "", "gives no value"},
		"many":            {`.,.`, `{}`, "", "", "more than one"},
		"no JSON":         {`.`, `a=b`, "", "", "is not JSON"},
		"endless":         {`def f: f; f`, `{}`, "", "", "did not end within 1000000 steps"},
		"too much":        {`"x"*1000000000`, `{}`, "", "", "needs more than 64 MiB"},
		"too long":        {`[range(1e12)]`, `{}`, "", "", "did not end within 1000000 steps"},
		"too deep":        {`reduce range(900) as $i ([range(100000)]; [.])`, `{}`, "", "@@ line 1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePatch(c.patch)
			if err != nil {
				t.Fatal(err)
			}
			got, edit, err := p.Apply(t.Context(), []byte(c.payload))
			if err != nil {
				if c.err == "" || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if c.want != "" && string(got) != c.want || c.err != "" {
				t.Errorf("got %s, want %s, error %q", got, c.want, c.err)
			}
			if edit != nil && !strings.Contains(edit.Diff, c.diff) || edit == nil && c.want != "" {
				t.Errorf("edit %+v", edit)
			}
		})
	}
	if _, err := ParsePatch(".a |"); err == nil || !strings.Contains(err.Error(), "patch") {
		t.Errorf("got %v", err)
	}
}

func TestByHand(t *testing.T) {
	got, edit, err := ByHand([]byte(`{"a":1}`), []byte("{\n \"a\": 2\n}\n"))
	if err != nil || string(got) != `{"a":2}` || !strings.Contains(edit.Diff, "+  \"a\": 2") {
		t.Errorf("got %s, %+v, %v", got, edit, err)
	}
	if _, _, err := ByHand([]byte(`{"a":1}`), []byte("{")); err == nil {
		t.Error("JSON became something else")
	}
	if got, _, err := ByHand([]byte(`{"a":`), []byte(`{"a":1}`)); err != nil || string(got) != `{"a":1}` {
		t.Errorf("a malformed body cannot be mended: %s, %v", got, err)
	}
}

// TestDiffTellsBothSides: without its + lines, a diff leaves of b what a had.
func TestDiffTellsBothSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 12)
		a, b := lines.Draw(t, "a"), lines.Draw(t, "b")
		count := map[string]int{}
		for _, l := range a {
			count[l]++
		}
		for line := range strings.Lines(Diff(a, b)) {
			line = strings.TrimSuffix(line, "\n")
			switch line[0] {
			case '-':
				count[line[1:]]--
			case '+':
				count[line[1:]]++
			}
		}
		for _, l := range b {
			count[l]--
		}
		for l, n := range count {
			if n != 0 {
				t.Errorf("line %q is off by %d", l, n)
			}
		}
	})
}
