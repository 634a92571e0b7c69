// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/stage/terminal"
)

func TestWrapBreaksOnlyAtSpaces(t *testing.T) {
	got := wrap("a bb ccc "+strings.Repeat("d", 12)+" e", 8, "      ")
	if want := "a bb ccc\n  dddddddddddd\n      e"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %s", n, got)
		}
	}
}

// FuzzOutput holds everything that is printed to characters that a terminal
// only shows, and JSON to its meaning.
func FuzzOutput(f *testing.F) {
	for _, s := range []string{"", "a\x1b]0;x\x07", "\u202e\u009b\xff", `"\`, "\U000e0041\U0001f600"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := func(r rune) bool { return r == '\n' || unicode.IsPrint(r) }
		if got := terminal.Clean(s); strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
			t.Errorf("terminal.Clean(%q) = %q", s, got)
		}
		var b bytes.Buffer
		if err := JSON(&b, map[string]string{"v": s}, true); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return !shown(r) }); i >= 0 {
			t.Errorf("JSON of %q has %q", s, b.String()[i:])
		}
		var got map[string]string
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		b.Reset()
		if err := YAML(&b, map[string]string{"v": s}); err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(b.String(), func(r rune) bool { return !shown(r) }); i >= 0 {
			t.Errorf("YAML of %q has %q", s, b.String()[i:])
		}
		var read map[string]string
		if err := yaml.Load(b.Bytes(), &read); err != nil || read["v"] != got["v"] {
			t.Errorf("%q gives %q, want %q: %v", b.String(), read["v"], got["v"], err)
		}
		if utf8.ValidString(s) && got["v"] != s {
			t.Errorf("got %q, want %q", got["v"], s)
		}
	})
}
