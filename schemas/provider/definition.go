// SPDX-License-Identifier: Apache-2.0

// Package provider reads provider definitions: how a provider's webhooks are
// verified, where their identity is, and which event types become which
// entity. A definition is data; a new HMAC provider needs no Go.
package provider

import (
	"path"
	"time"
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
	Confirmed bool     `yaml:"confirmed"`
	Verify    Verify   `yaml:"verify"`
	Identity  Identity `yaml:"identity"`
	// Preserve names request headers to keep on the record, beside those
	// that the definition refers to.
	Preserve []string `yaml:"preserve"`
	Unmapped Unmapped `yaml:"unmapped"`
	Events   []Rule   `yaml:"events"`

	// File is where the definition was read from.
	File string `yaml:"-"`
	// position finds a field's line for errors that are noticed later.
	position positions
}

// Unmapped says what becomes of an event type without a rule.
type Unmapped string

// The choices for unmapped event types.
const (
	UnmappedGeneric    Unmapped = "generic"
	UnmappedDrop       Unmapped = "drop"
	UnmappedDeadLetter Unmapped = "dead-letter"
)

// Verify is the declarative signature scheme.
type Verify struct {
	// Scheme is hmac.
	Scheme string `yaml:"scheme"`
	// Algorithm is sha1, sha256 or sha512. It is pinned here; nothing in a
	// request chooses it.
	Algorithm string `yaml:"algorithm"`
	// Encoding of the signature: hex or base64.
	Encoding  string     `yaml:"encoding"`
	Signature HeaderPart `yaml:"signature"`
	Timestamp *Timestamp `yaml:"timestamp"`
	// Signed is the template of the bytes that the signature covers.
	Signed Template `yaml:"signed"`
	Secret Secret   `yaml:"secret"`
}

// HeaderPart finds values in a request header: the header is split at
// Separator, items without Prefix are ignored, and the prefix is cut off.
// Without a separator the whole header is one item.
type HeaderPart struct {
	Header    string `yaml:"header"`
	Separator string `yaml:"separator"`
	Prefix    string `yaml:"prefix"`
}

// Timestamp is the signed time of a request, and how far it may lie from now
// in both directions.
type Timestamp struct {
	HeaderPart `yaml:",inline"`
	Unit       Unit          `yaml:"unit"`
	Tolerance  time.Duration `yaml:"tolerance"`
}

// Secret says how a configured secret becomes the key: Prefix is cut off where
// it is there, the rest is decoded.
type Secret struct {
	Prefix string `yaml:"prefix"`
	// Encoding is raw, base64 or hex.
	Encoding string `yaml:"encoding"`
}

// Identity says where a webhook's identity is. Each list holds alternatives:
// the first whose When matches and whose references all resolve counts.
type Identity struct {
	ID   []Alternative `yaml:"id"`
	Type []Alternative `yaml:"type"`
	Key  []Alternative `yaml:"key"`
	Time []Alternative `yaml:"time"`
	// Sequence is an integer that orders instead of the time.
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
