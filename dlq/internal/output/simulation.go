// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/terminal"
)

// Simulation is what would come of dead letters, as -o json writes it.
type Simulation struct {
	Tried   int `json:"tried"`
	Passed  int `json:"passed"`
	Dropped int `json:"dropped"`
	Failed  int `json:"failed"`
	// Failures are the kinds of those that would fail again.
	Failures []*Failure `json:"failures,omitempty"`
	// Refused are those that cannot be simulated.
	Refused []NotTried `json:"refused,omitempty"`
	// Example is the event that would result of the first that passed.
	Example *Event `json:"example,omitempty"`
}

// Failure is a kind of failure and how many would have it.
type Failure struct {
	Reason  reason.Code `json:"reason"`
	Message string      `json:"message"`
	Count   int         `json:"count"`
	Example string      `json:"example"`
}

// NotTried says why dead letters cannot be simulated.
type NotTried struct {
	Why   string `json:"why"`
	Count int    `json:"count"`
}

// Event is a canonical event.
type Event struct {
	DeadLetter string         `json:"dead_letter"`
	Entity     string         `json:"entity"`
	ID         string         `json:"id"`
	EventID    string         `json:"event_id"`
	EventType  string         `json:"event_type"`
	Deleted    bool           `json:"deleted"`
	Fields     map[string]any `json:"fields"`
}

// NewEvent describes the event that a dead letter gives.
func NewEvent(deadLetter string, e *event.Event) *Event {
	return &Event{deadLetter, e.Entity, e.ID, e.Meta.EventID, e.Meta.EventType, e.Meta.Deleted, maps.Collect(e.Named())}
}

// Simulated writes a simulation for a person.
func Simulated(w io.Writer, s *Simulation) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%8s of %s would pass\n", Number(s.Passed), Number(s.Tried))
	if s.Dropped > 0 {
		fmt.Fprintf(&b, "%8s would be dropped, as their definition says\n", Number(s.Dropped))
	}
	indent := strings.Repeat(" ", 9)
	for _, f := range s.Failures {
		fmt.Fprintf(&b, "%8s would fail with %s\n%s%s\n%sfor example %s\n", Number(f.Count), terminal.Clean(string(f.Reason)),
			indent, wrap(terminal.Clean(cut(f.Message)), 80-9, indent), indent, terminal.Clean(f.Example))
	}
	for _, r := range s.Refused {
		fmt.Fprintf(&b, "%8s cannot be simulated: %s\n", Number(r.Count), wrap(terminal.Clean(r.Why), 80-34, indent))
	}
	if s.Example != nil {
		fmt.Fprintf(&b, "the event of %s:\n", terminal.Clean(s.Example.DeadLetter))
		if err := JSON(&b, s.Example, true); err != nil {
			return err
		}
	}
	b.WriteString("time bounds, duplicates and the database's constraints are not simulated\n")
	_, err := w.Write(b.Bytes())
	return err
}
