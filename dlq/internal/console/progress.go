// SPDX-License-Identifier: Apache-2.0

package console

import (
	"fmt"
	"time"
)

const (
	// progressAfter keeps quick commands quiet.
	progressAfter = 2 * time.Second
	progressEvery = 200 * time.Millisecond
)

// Progress is one line on a terminal's Err that is written over. It is shown by
// whoever counts; there is no goroutine behind it.
type Progress struct {
	c     *Console
	next  time.Time
	shown bool
}

// Progress starts a line that appears when the work takes longer than two
// seconds.
func (c *Console) Progress() *Progress {
	return &Progress{c: c, next: time.Now().Add(progressAfter)}
}

// Show replaces the line, now and then.
func (p *Progress) Show(format string, args ...any) {
	if !p.c.ErrTerminal || time.Now().Before(p.next) {
		return
	}
	fmt.Fprintf(p.c.Err, "\r\x1b[K"+format, args...)
	p.next, p.shown = time.Now().Add(progressEvery), true
}

// End clears the line.
func (p *Progress) End() {
	if p.shown {
		fmt.Fprint(p.c.Err, "\r\x1b[K")
		p.shown = false
	}
}
