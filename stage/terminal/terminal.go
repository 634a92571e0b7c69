// SPDX-License-Identifier: Apache-2.0

// Package terminal writes for people: in colour where they want it, and nothing
// that strangers chose in a way that a terminal would obey.
package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Is reports whether a person reads w.
func Is(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Columns is how wide the terminal at f is, or 0 where it is none or does not tell.
func Columns(f *os.File) int {
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// Colour reports whether what is written may be coloured, where a person reads
// it (https://no-color.org).
func Colour() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// Painter colours text, where it is true.
type Painter bool

// PainterFor colours what a person reads at w.
func PainterFor(w io.Writer) Painter { return Painter(Is(w) && Colour()) }

// SGR is a way to show text (ECMA-48, 8.3.117).
type SGR string

// Ways to show text.
const (
	Bold   SGR = "1"
	Dim    SGR = "2"
	Red    SGR = "31"
	Green  SGR = "32"
	Yellow SGR = "33"
)

// Text shows s in a way. S must be clean.
func (p Painter) Text(s string, how SGR) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + string(how) + "m" + s + "\x1b[0m"
}
