// SPDX-License-Identifier: Apache-2.0

package example

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Outcome is what came of an example or of a fixture. Names are a contract with
// scripts: add to them, never change one.
type Outcome struct {
	File string `json:"file"`
	// Status of the answer; a fixture has none, since it is not sent.
	Status int `json:"status,omitempty"`
	// Refused is the cause of a refused verification.
	Refused string `json:"refused,omitempty"`
	// Events of everything that is stored, in order.
	Events []*Event `json:"events"`
}

// Event is what becomes of a stored webhook: an event, or a dead letter where
// Reason is set, or nothing where the definition drops its type.
type Event struct {
	EventID   string         `json:"event_id"`
	EventType string         `json:"event_type"`
	Entity    string         `json:"entity,omitempty"`
	ID        string         `json:"id,omitempty"`
	Deleted   bool           `json:"deleted,omitempty"`
	Groups    []string       `json:"groups,omitempty"`
	Fields    map[string]any `json:"fields,omitempty"`
	Reason    reason.Code    `json:"reason,omitempty"`
	Dropped   bool           `json:"dropped,omitempty"`
}

// mapped is the event that transform makes of w, which is added to the outcome.
func (c *Checker) mapped(w *record.Webhook, out *Outcome) (*event.Event, error) {
	told := &Event{EventID: w.EventID, EventType: w.EventType, Reason: w.Defect}
	out.Events = append(out.Events, told)
	if w.Defect != "" {
		return nil, nil
	}
	c.tried[c.def.RuleFor(w.EventType)] = true
	ev, err := c.mapper.Map(context.Background(), w)
	var failed *mapping.Error
	switch {
	case errors.As(err, &failed):
		told.Reason = failed.Reason
	case err == nil && ev == nil:
		told.Dropped = true
	case err == nil:
		told.Entity, told.ID, told.Deleted, told.Groups = ev.Entity, ev.ID, ev.Meta.Deleted, ev.Meta.Groups
		told.Fields = maps.Collect(ev.Named())
	}
	return ev, err
}

// CheckFixture maps a fixture and compares the event, as Check does an example.
func (c *Checker) CheckFixture(f *fixture.Fixture) (*Outcome, error) {
	w, err := f.Webhook(c.def)
	if err != nil {
		return nil, err
	}
	out := &Outcome{File: f.File, Events: []*Event{}}
	ev, err := c.mapped(w, out)
	if err != nil {
		return out, fmt.Errorf("%s: %w", f.File, err)
	}
	var errs []error
	for _, p := range f.Compare(w, ev) {
		errs = append(errs, p)
	}
	return out, errors.Join(errs...)
}

// Untried names the rules of the definition that no example and no fixture came
// to.
func (c *Checker) Untried() error {
	var errs []error
	for i := range c.def.Events {
		if rule := &c.def.Events[i]; !c.tried[rule] {
			errs = append(errs, c.def.Problem(fmt.Sprintf("no example or fixture has one of the types %v", rule.Types), "events", i))
		}
	}
	return errors.Join(errs...)
}
