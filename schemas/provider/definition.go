// SPDX-License-Identifier: Apache-2.0

// Package provider reads provider definitions: how a provider's webhooks are
// verified, answered and read, where their identity is, and which event types
// become which entity. A definition is data; a new provider needs no Go unless
// it signs in a way that no Scheme describes.
package provider

import (
	"path"

	"github.com/hookstream/hookstream/schemas/yamlfile"
)

// Definition is one provider's YAML file.
type Definition struct {
	// Provider is the name in the URL and on every record.
	Provider string `yaml:"provider"`
	Title    string `yaml:"title"`
	Docs     string `yaml:"docs"`
	// Revision orders corrected mappings; raise it with every change of
	// Events.
	Revision int32 `yaml:"revision"`
	// Confirmed says that the facts were read at their source.
	Confirmed bool `yaml:"confirmed"`
	// Methods are those that webhooks come with; none means POST.
	Methods []string `yaml:"methods"`
	// Verify holds one scheme or several: see Verifications.
	Verify Verifications `yaml:"verify"`
	// Handshakes are the requests that are answered and not stored.
	Handshakes []Handshake `yaml:"handshakes"`
	// Answer is what the sender gets for an accepted webhook; none means 202
	// with Hookstream's own JSON.
	Answer *Answer `yaml:"answer"`
	// Body says how bodies are read.
	Body     Body     `yaml:"body"`
	Identity Identity `yaml:"identity"`
	// Preserve names request headers to keep on the record, beside those
	// that the definition refers to.
	Preserve []string `yaml:"preserve"`
	Unmapped Unmapped `yaml:"unmapped"`
	Events   []Rule   `yaml:"events"`

	// File is where the definition was read from.
	File string `yaml:"-"`
	// source finds a field's line for errors that are noticed later.
	source *yamlfile.File
}

// Unmapped says what becomes of an event type without a rule.
type Unmapped string

// The choices for unmapped event types.
const (
	UnmappedGeneric    Unmapped = "generic"
	UnmappedDrop       Unmapped = "drop"
	UnmappedDeadLetter Unmapped = "dead-letter"
)

// Identity says where a webhook's identity is. Each list holds alternatives:
// the first whose When matches and whose references all resolve counts.
type Identity struct {
	// Tenant finds whose event it is where one secret covers many customers
	// of an app. It may refer to signed content only, and counts only where
	// the request's path names no tenant.
	Tenant []Alternative `yaml:"tenant"`
	ID     []Alternative `yaml:"id"`
	Type   []Alternative `yaml:"type"`
	Key    []Alternative `yaml:"key"`
	Time   []Alternative `yaml:"time"`
	// Sequence is an integer that orders instead of the time: one that the
	// provider counts, or the stage of a life that an event type stands for.
	Sequence []Alternative `yaml:"sequence"`
}

// Alternative is one place where a part of the identity may be.
type Alternative struct {
	// When holds globs of event types; none means any type.
	When Globs    `yaml:"when"`
	From Template `yaml:"from"`
	// Unit of a time.
	Unit Unit `yaml:"unit"`
	// Natural marks an id that is composed, not the provider's own.
	Natural bool `yaml:"natural"`
}

// Rule maps event types to an entity.
type Rule struct {
	Types  Globs  `yaml:"types"`
	Entity string `yaml:"entity"`
	// Requires says by what a body is known to be of these types.
	Requires Requires `yaml:"requires"`
	// Groups are the field groups that these events own; none means all.
	Groups []string `yaml:"groups"`
	// IDSuffix is a jq expression. The entity's id is the business key, or
	// the business key, a slash and the escaped suffix, so that every
	// entity id belongs to exactly one business key.
	IDSuffix string `yaml:"id_suffix"`
	// Deleted is a jq expression that says whether the event deletes.
	Deleted string `yaml:"deleted"`
	// Fields holds one jq expression a field.
	Fields map[string]string `yaml:"fields"`
}

// Globs are patterns of event types as path.Match understands them.
type Globs []string

// Match reports whether a pattern matches; no patterns match everything.
func (g Globs) Match(eventType string) bool {
	for _, pattern := range g {
		if ok, err := path.Match(pattern, eventType); ok && err == nil {
			return true
		}
	}
	return len(g) == 0
}

// RuleFor returns the first rule that maps the event type, or nil.
func (d *Definition) RuleFor(eventType string) *Rule {
	for i := range d.Events {
		if d.Events[i].Types.Match(eventType) {
			return &d.Events[i]
		}
	}
	return nil
}
