// SPDX-License-Identifier: Apache-2.0

// Package output writes dead letters for people and for programs. What comes
// from records was chosen by strangers, so nothing of it reaches a terminal that
// the terminal could obey.
package output

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hookstream/hookstream/stage/terminal"
)

// cleanJSON escapes in JSON text what Clean escapes; it stays the same JSON,
// because such characters can only be in its strings.
func cleanJSON(text []byte) []byte {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r>>10), 0xdc00+(r&0x3ff))
		}
	}
	return []byte(b.String())
}

// orDash marks what is not there.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return terminal.Clean(s)
}

// fit cuts s, which is clean, to width characters.
func fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "…"
}

// wrap breaks s, which is clean, at spaces into lines of at most width
// characters, with indent before all but the first. Words are never broken: they
// are what one copies. One that is too long begins further to the left.
func wrap(s string, width int, indent string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(s, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteString("\n" + indent[:max(0, min(len(indent), len(indent)+width-n))])
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

func second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// Number writes n with thousands separated.
func Number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
