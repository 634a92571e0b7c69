// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestConfirm(t *testing.T) {
	for answer, want := range map[string]bool{"y\n": true, " YES \n": true, "y": true, "n\n": false, "\n": false, "yess\n": false} {
		c := &Console{In: strings.NewReader(answer), Err: io.Discard, InTerminal: true}
		if yes, err := c.Confirm(t.Context(), "Replay?"); yes != want || err != nil {
			t.Errorf("%q is %v, %v", answer, yes, err)
		}
	}
	for _, c := range []*Console{{In: strings.NewReader("y\n")}, {In: strings.NewReader(""), InTerminal: true}} {
		c.Err = io.Discard
		if yes, err := c.Confirm(t.Context(), "Replay?"); yes || !errors.Is(err, ErrNobody) {
			t.Errorf("without anybody: %v, %v", yes, err)
		}
	}
}

// TestConfirmEndsWithItsContext, although nobody answers.
func TestConfirmEndsWithItsContext(t *testing.T) {
	silent, hangUp := io.Pipe()
	defer hangUp.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	var asked bytes.Buffer
	c := &Console{In: reading{silent, interrupt}, Err: &asked, InTerminal: true}
	if yes, err := c.Confirm(ctx, "Replay?"); yes || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v", yes, err)
	}
	if asked.String() != "Replay? [y/N] \n" {
		t.Errorf("asked %q", asked.String())
	}
}

// reading interrupts as soon as somebody waits for an answer.
type reading struct {
	io.Reader
	interrupt func()
}

// Read waits.
func (r reading) Read(p []byte) (int, error) {
	r.interrupt()
	return r.Reader.Read(p)
}
