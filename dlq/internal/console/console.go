// SPDX-License-Identifier: Apache-2.0

// Package console is the operator's terminal, or the pipe that stands in its
// place.
package console

import (
	"bufio"
	"context"
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
	// Columns is how wide Out is; 0 where nobody knows.
	Columns int
	// NoColor turns colour off (https://no-color.org).
	NoColor bool
}

// Standard is the process's own.
func Standard() *Console {
	return &Console{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: terminal.Is(os.Stdin), OutTerminal: terminal.Is(os.Stdout), ErrTerminal: terminal.Is(os.Stderr),
		Columns: terminal.Columns(os.Stdout), NoColor: !terminal.Colour(),
	}
}

// Color colours what is written to Out, or does not.
func (c *Console) Color() terminal.Painter { return terminal.Painter(c.OutTerminal && !c.NoColor) }

// ErrNobody means that there is no one to confirm.
var ErrNobody = errors.New("nobody is at a terminal to confirm: look at the plan with --dry-run, then add --yes")

// Confirm asks on Err and reads the answer from In; anything but yes is no. When
// ctx ends, as Ctrl-C makes it, nobody is waited for.
func (c *Console) Confirm(ctx context.Context, question string) (bool, error) {
	if !c.InTerminal {
		return false, ErrNobody
	}
	fmt.Fprintf(c.Err, "%s [y/N] ", question)
	line, err := c.readLine(ctx)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(c.Err)
		return false, ctx.Err()
	case err != nil && line == "":
		return false, ErrNobody
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// readLine reads from In until ctx ends. A terminal cannot be stopped reading:
// the goroutine then ends with the process, or the next line.
func (c *Console) readLine(ctx context.Context) (line string, err error) {
	read := make(chan struct{})
	var text string
	var failed error
	go func() {
		defer close(read)
		text, failed = bufio.NewReader(c.In).ReadString('\n')
	}()
	select {
	case <-read:
		return text, failed
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
