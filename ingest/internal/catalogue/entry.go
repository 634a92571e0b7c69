// SPDX-License-Identifier: Apache-2.0

// Package catalogue says in words what provider definitions hold: for the
// command that lists them and for the document generated from them. Text marks
// what is literal with backquotes, as Markdown does.
package catalogue

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/schemas/provider"
)

// Entry is one definition.
type Entry struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Docs     string `json:"docs"`
	Revision int32  `json:"revision"`
	// Confirmed says that the facts were read at their source; Unconfirmed
	// what was not.
	Confirmed   bool     `json:"confirmed"`
	Unconfirmed string   `json:"unconfirmed,omitempty"`
	Summary     string   `json:"summary,omitempty"`
	Traps       []string `json:"traps,omitempty"`

	Schemes    []Scheme    `json:"schemes"`
	Methods    []string    `json:"methods"`
	Handshakes []Handshake `json:"handshakes,omitempty"`
	Formats    []string    `json:"formats"`
	// FormField is the field of a form that holds the event as JSON.
	FormField string `json:"form_field,omitempty"`
	// Batch are the paths to the items of requests with several events.
	Batch    []string `json:"batch,omitempty"`
	Identity Identity `json:"identity"`
	// Answer is what the sender gets for an accepted webhook.
	Answer string  `json:"answer"`
	Events []Event `json:"events,omitempty"`
	// Unmapped says what becomes of event types without a rule.
	Unmapped string `json:"unmapped"`

	// Unsigned are the parts of the identity that no signature proves, and from
	// where they are.
	Unsigned []string `json:"unsigned,omitempty"`

	Configure []Setting `json:"configure"`
}

// Scheme is a way in which the provider signs.
type Scheme struct {
	Name   string `json:"name,omitempty"`
	Scheme string `json:"scheme"`
	// Text describes it.
	Text string `json:"text"`
	// Weaker says why it is weaker than one before it, and when it is taken.
	Weaker string `json:"weaker,omitempty"`
}

// Handshake is a request that is answered and not stored.
type Handshake struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Identity says where each part is found.
type Identity struct {
	ID       []string `json:"id"`
	Type     []string `json:"type"`
	Key      []string `json:"key"`
	Time     []string `json:"time,omitempty"`
	Sequence []string `json:"sequence,omitempty"`
	Tenant   []string `json:"tenant,omitempty"`
}

// Event is a mapping of event types to an entity.
type Event struct {
	Types  []string `json:"types"`
	Entity string   `json:"entity"`
}

// Setting is something to configure, and where.
type Setting struct {
	// Where is here, or at the provider's.
	Where string `json:"where"`
	What  string `json:"what"`
}

// All describes the definitions of a catalog, by name.
func All(c provider.Catalog) []*Entry {
	var all []*Entry
	for _, name := range c.Names() {
		all = append(all, Describe(c[name]))
	}
	return all
}

// Describe puts a definition into words.
func Describe(def *provider.Definition) *Entry {
	notes := def.Notes()
	e := &Entry{
		Name: def.Provider, Title: def.Title, Docs: def.Docs, Revision: def.Revision,
		Confirmed: def.Confirmed, Unconfirmed: strings.TrimPrefix(notes.Unconfirmed, "Not confirmed: "), Summary: notes.Summary, Traps: notes.Traps,
		Methods: def.Methods, FormField: def.Body.Form, Batch: def.Body.Batch, Answer: answer(def.Answer), Unmapped: string(def.Unmapped),
		Identity: Identity{
			ID: places(def.Identity.ID), Type: places(def.Identity.Type), Key: places(def.Identity.Key),
			Time: places(def.Identity.Time), Sequence: places(def.Identity.Sequence), Tenant: places(def.Identity.Tenant),
		},
		Configure: configure(def), Unsigned: unsigned(def),
	}
	for i := range def.Verify {
		v := &def.Verify[i]
		e.Schemes = append(e.Schemes, Scheme{v.Name, string(v.Scheme), scheme(v), weaker(v)})
	}
	for i := range def.Handshakes {
		e.Handshakes = append(e.Handshakes, Handshake{def.Handshakes[i].Name, handshake(&def.Handshakes[i])})
	}
	for _, f := range def.Body.Formats {
		e.Formats = append(e.Formats, string(f))
	}
	for _, r := range def.Events {
		e.Events = append(e.Events, Event{r.Types, r.Entity})
	}
	return e
}

// unsigned lists the parts of the identity that whoever has seen a request can
// change, under one of the schemes at least.
func unsigned(def *provider.Definition) (out []string) {
	id := &def.Identity
	for _, part := range []struct {
		name string
		list []provider.Alternative
	}{{"event id", id.ID}, {"event type", id.Type}, {"business key", id.Key}, {"time", id.Time}, {"sequence", id.Sequence}} {
		var from []string
		for _, a := range part.list {
			for _, ref := range a.From.Refs() {
				if text := code(ref.String()); !def.Covers(ref) && !slices.Contains(from, text) {
					from = append(from, text)
				}
			}
		}
		if len(from) > 0 {
			out = append(out, part.name+", from "+strings.Join(from, ", "))
		}
	}
	return out
}

// SchemeNames lists the kinds of schemes, each once.
func (e *Entry) SchemeNames() []string {
	var names []string
	for _, s := range e.Schemes {
		if !slices.Contains(names, s.Scheme) {
			names = append(names, s.Scheme)
		}
	}
	return names
}

// HandshakeNames lists the handshakes.
func (e *Entry) HandshakeNames() []string {
	var names []string
	for _, h := range e.Handshakes {
		names = append(names, h.Name)
	}
	return names
}

// Entities lists what event types are mapped to, each once.
func (e *Entry) Entities() []string {
	var names []string
	for _, ev := range e.Events {
		if !slices.Contains(names, ev.Entity) {
			names = append(names, ev.Entity)
		}
	}
	return names
}

// TenantFrom says where the tenant comes from.
func (e *Entry) TenantFrom() string {
	if len(e.Identity.Tenant) == 0 {
		return "path"
	}
	return "path, body"
}

// answer describes what the sender of an accepted webhook gets.
func answer(a *provider.Answer) string {
	if a == nil {
		return fmt.Sprintf("%d with the event's id, as JSON", http.StatusAccepted)
	}
	status := cmp.Or(a.Status, http.StatusOK)
	if a.Body.String() == "" {
		return fmt.Sprintf("%d without a body", status)
	}
	return fmt.Sprintf("%d with %s", status, code(a.Body.String()))
}

// places describes the alternatives of one part of the identity.
func places(list []provider.Alternative) []string {
	var out []string
	for _, a := range list {
		text := code(a.From.String())
		if a.Unit != "" {
			text += " (" + unit(a.Unit) + ")"
		}
		if a.Natural {
			text += ", composed: the provider has no id of its own"
		}
		if len(a.When) > 0 {
			text += ", for " + codes(a.When)
		}
		out = append(out, text)
	}
	return out
}

func unit(u provider.Unit) string {
	switch u {
	case provider.Seconds:
		return "seconds since 1970"
	case provider.Milliseconds:
		return "milliseconds since 1970"
	case provider.RFC3339:
		return "RFC 3339"
	case provider.DateTime:
		return "ISO 8601 in UTC, without a zone"
	}
	return string(u)
}

// code marks s as literal. Backquotes cannot be escaped between backquotes.
func code(s string) string {
	if strings.Contains(s, "`") {
		return "`` " + s + " ``"
	}
	return "`" + s + "`"
}

func codes(list []string) string {
	marked := make([]string, len(list))
	for i, s := range list {
		marked[i] = code(s)
	}
	return strings.Join(marked, ", ")
}
