// SPDX-License-Identifier: Apache-2.0

// Package workload makes webhooks as providers would send them, from a seed, and
// knows what must become of each. It shares no code with the pipeline: bodies,
// signatures, identities and expected rows are written down here a second time,
// so that a mistake there cannot hide here.
package workload

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Tenant of every generated webhook.
const Tenant = "default"

// Secrets by provider: the demo values of deploy/secrets. They are published and
// protect nothing.
var Secrets = map[string]string{
	"stripe":            "whsec_demo-only-stripe-not-a-secret",
	"github":            "demo-only-github-not-a-secret",
	"shopify":           "demo-only-shopify-not-a-secret",
	"standard-webhooks": "whsec_ZGVtby1vbmx5IHN0YW5kYXJkLXdlYmhvb2tzOiBub3QgYSBzZWNyZXQ=",
	"svix":              "whsec_ZGVtby1vbmx5IHN2aXg6IG5vdCBhIHNlY3JldC4uLi4uLi4u",
}

// SecretList is Secrets as HOOKSTREAM_SECRETS has them.
func SecretList() string {
	var list []string
	for provider, secret := range Secrets {
		list = append(list, Tenant+"/"+provider+"="+secret)
	}
	return strings.Join(list, ";")
}

// Fate is what must become of an accepted or refused webhook.
type Fate string

// The fates.
const (
	// Applied: one event on its topic, and its row follows it.
	Applied Fate = "applied"
	// Refused: ingest answers 401.
	Refused Fate = "refused"
	// DeadLettered: accepted, and given up by the stage with the reason.
	DeadLettered Fate = "dead-lettered"
)

// Event is one thing that a provider has to say.
type Event struct {
	// Serial is in the body, so that stored bytes lead back to the event
	// without reading any header that the pipeline wrote.
	Serial   string
	Provider string
	ID       string
	Type     string
	// At is the event's own time; it orders.
	At     time.Time
	Body   []byte
	Header http.Header
	Fate   Fate
	// Stage and Reason of the dead letter.
	Stage, Reason string
	// Want is what the row must say, if this event is the newest of its
	// groups.
	Want Row
	// tamper spoils the signed request.
	tamper func(*http.Request, time.Time)
}

// Row is the part of an entity's row that an event decides.
type Row struct {
	Entity string
	ID     string
	// Group is the field group that the event owns, "" for all.
	Group   string
	Deleted bool
	// Columns by name, as Postgres writes them as text.
	Columns map[string]string
}

// Identity names the event for the pipeline's users: provider and event id.
func (e *Event) Identity() string { return e.Provider + " " + e.ID }

// serial marks a body.
func serial(run string, n int) string { return fmt.Sprintf("%s-%d", run, n) }
