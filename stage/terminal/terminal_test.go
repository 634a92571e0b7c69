// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"os"
	"testing"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain ünïcode 日本":  "plain ünïcode 日本",
		"\x1b[2J":           `\u001b[2J`,
		"a\r\nb\tc":         `a\u000d\u000ab\u0009c`,
		"csi\u009b31m":      `csi\u009b31m`,
		"\u202egnp.exe":     `\u202egnp.exe`,
		"\xff\xfe":          `\xff\xfe`,
		"tag\U000e0041":     `tag\U000e0041`,
		"zero\u200bwidth":   `zero\u200bwidth`,
		"replacement\ufffd": "replacement\ufffd",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := CleanLines("a\n\tb\r"); got != "a\n\tb\\u000d" {
		t.Errorf("CleanLines gives %q", got)
	}
}

func TestNobodyReadsAPipeOrNull(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if Is(&bytes.Buffer{}) || Is(null) || bool(PainterFor(null)) {
		t.Error("a person is taken to read a buffer or /dev/null")
	}
}

func TestColourIsLeftOutWhereNobodyWantsIt(t *testing.T) {
	for _, c := range []struct {
		noColor, term string
		want          bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}} {
		t.Setenv("NO_COLOR", c.noColor)
		t.Setenv("TERM", c.term)
		if Colour() != c.want {
			t.Errorf("NO_COLOR=%q TERM=%q gives %t", c.noColor, c.term, !c.want)
		}
	}
	if got := Painter(true).Text("a", Red) + Painter(true).Text("", Red) + Painter(false).Text("b", Red); got != "\x1b[31ma\x1b[0mb" {
		t.Errorf("got %q", got)
	}
}
