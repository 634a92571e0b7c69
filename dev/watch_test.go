// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"testing"
)

// TestTheLineIsWrittenOverItself, also where the terminal has become narrower and
// has broken it.
func TestTheLineIsWrittenOverItself(t *testing.T) {
	var b bytes.Buffer
	width := 40
	l := lineWriter{w: &b, width: func() int { return width }}
	show := func(text string) string {
		b.Reset()
		l.show(func(width int) string { return text[:min(len(text), width)] })
		return b.String()
	}
	const text = "0123456789012345678901234567890123456789"
	if got, want := show(text), "\r\x1b[J"+text[:39]; got != want {
		t.Errorf("first: %q, want %q", got, want)
	}
	width = 15
	if got, want := show(text), "\r\x1b[A\x1b[A\x1b[J"+text[:14]; got != want {
		t.Errorf("39 characters at 15: %q, want %q", got, want)
	}
	if got, want := show(text), "\r\x1b[J"+text[:14]; got != want {
		t.Errorf("again: %q, want %q", got, want)
	}
	plain := lineWriter{w: &b}
	b.Reset()
	plain.show(func(width int) string { return fmt.Sprint("width ", width) })
	if got := b.String(); got != "width 0\n" {
		t.Errorf("where nobody watches: %q", got)
	}
}
