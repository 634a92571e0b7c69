// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/terminal"
)

// Held is a raw record that transform holds.
type Held struct {
	// Raw is where it was read from.
	Raw       string    `json:"raw"`
	Since     time.Time `json:"since"`
	Key       string    `json:"key"`
	Provider  string    `json:"provider"`
	EventType string    `json:"event_type"`
	EventID   string    `json:"event_id"`
	// Reason is absent where it only waits for earlier ones of its key.
	Reason  reason.Code `json:"reason,omitempty"`
	Because string      `json:"because"`
}

// NewHeld describes a held record.
func NewHeld(h *record.Held) *Held {
	l := header.List(h.Raw.Headers)
	get := func(name string) string { v, _ := l.Get(name); return v }
	return &Held{
		Raw: record.PositionOf(h.Raw).String(), Since: h.Since, Key: string(h.Raw.Key),
		Provider: get(header.Provider), EventType: get(header.Type), EventID: get(header.ID),
		Reason: h.Reason, Because: h.Message,
	}
}

// HeldTable writes held records for a person, two lines each.
func HeldTable(w io.Writer, all []*Held) error {
	var b bytes.Buffer
	for _, h := range all {
		why := "behind others of its key"
		if h.Reason != "" {
			why = string(h.Reason)
		}
		fmt.Fprintf(&b, "%s  %s %s  %s\n", second(h.Since), terminal.Clean(h.Provider), terminal.Clean(h.EventType), terminal.Clean(why))
		for _, line := range []string{h.Raw + "  " + h.Key, h.Because} {
			fmt.Fprintf(&b, "  %s\n", wrap(terminal.Clean(line), 80-2, strings.Repeat(" ", 2)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
