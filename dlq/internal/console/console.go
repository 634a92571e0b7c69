// SPDX-License-Identifier: Apache-2.0

// Package console is the operator's terminal, or the pipe that stands in its
// place.
package console

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hookstream/hookstream/stage/terminal"
)

// Console is where a command reads and writes.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	// Whether a person is at the other end.
	InTerminal, OutTerminal, ErrTerminal bool
	// NoColor turns colour off (https://no-color.org).
	NoColor bool
}

// Standard is the process's own.
func Standard() *Console {
	return &Console{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: terminal.Is(os.Stdin), OutTerminal: terminal.Is(os.Stdout), ErrTerminal: terminal.Is(os.Stderr),
		NoColor: !terminal.Colour(),
	}
}

// Color colours what is written to Out, or does not.
func (c *Console) Color() terminal.Painter { return terminal.Painter(c.OutTerminal && !c.NoColor) }

// ErrNobody means that there is no one to confirm.
var ErrNobody = errors.New("nobody is at a terminal to confirm: look at the plan with --dry-run, then add --yes")

// Confirm asks on Err and reads the answer from In; anything but yes is no.
func (c *Console) Confirm(question string) (bool, error) {
	if !c.InTerminal {
		return false, ErrNobody
	}
	fmt.Fprintf(c.Err, "%s [y/N] ", question)
	line, err := bufio.NewReader(c.In).ReadString('\n')
	if err != nil && line == "" {
		return false, ErrNobody
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
