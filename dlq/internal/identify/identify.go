// SPDX-License-Identifier: Apache-2.0

// Package identify finds the identity of webhooks that ingest could not identify:
// in a payload that was mended since, or with a definition that was.
package identify

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
)

// Identifier holds the definitions.
type Identifier struct{ catalog provider.Catalog }

// New reads the embedded definitions with those of dir laid over them. The error
// joins every problem, each with file and line.
func New(dir string) (*Identifier, error) {
	catalog, err := provider.Load(dir)
	if err != nil {
		return nil, err
	}
	return &Identifier{catalog}, nil
}

// Unidentified reports whether ingest stored the record with a defect, which a
// replay keeps, and which.
func Unidentified(d *record.DeadLetter) (defect string, ok bool) {
	if d.Stage != record.StageTransform {
		return "", false
	}
	return d.Headers.Get(header.Defect)
}

// DeadLetter is a copy of d under the identity that its definition finds in it, as
// ingest would have stored it, and that identity. What ingest identified is given
// back as it is, without one: identities do not change. An error says what is not
// found.
func (i *Identifier) DeadLetter(d *record.DeadLetter) (*record.DeadLetter, *record.Identity, error) {
	if _, ok := Unidentified(d); !ok {
		return d, nil, nil
	}
	r, err := d.Replay(d.Failed.Topic, "identify")
	if err != nil {
		return nil, nil, err
	}
	w, err := record.ParseWebhook(r)
	if err != nil {
		return nil, nil, err
	}
	def, ok := i.catalog[w.Provider]
	if !ok {
		return nil, nil, fmt.Errorf("no definition of provider %.64q", w.Provider)
	}
	req, err := newRequest(def, w)
	if err != nil {
		return nil, nil, err
	}
	found, _ := def.Identity.Identify(req.lookup) // a time that is none is left out, as at the edge
	if err := apply(w, &found); err != nil {
		return nil, nil, fmt.Errorf("%s revision %d: %w", def.Provider, def.Revision, err)
	}
	return under(d, w), &record.Identity{Tenant: w.Tenant, EventID: w.EventID, OccurredAt: w.OccurredAt}, nil
}

// defaultTenant is whose a webhook is that no path and no signed content gives to
// another.
const defaultTenant = "default"

// unknownType stands for an event type that is not found: the definition says what
// becomes of types that it does not map.
const unknownType = "unknown"

// apply gives w the identity that was found, by the rules of the edge.
func apply(w *record.Webhook, found *provider.Identified) error {
	switch {
	case !printable(found.EventID):
		return errors.New("no event id is found in it")
	case !printable(found.BusinessKey):
		return errors.New("no business key is found in it")
	case found.OccurredAt.Year() < 1 || found.OccurredAt.Year() > 9999:
		return errors.New("its time cannot be written") // RFC 3339 has four digits for the year
	case w.Tenant == defaultTenant && found.Tenant != "" && !provider.ValidName(found.Tenant):
		return errors.New("what identity.tenant finds is no name of a tenant")
	case w.Tenant == defaultTenant && found.Tenant != "":
		w.Tenant = found.Tenant
	}
	w.EventType = unknownType
	if printable(found.EventType) {
		w.EventType = found.EventType
	}
	w.EventID, w.IdentitySource, w.BusinessKey = found.EventID, found.Source, found.BusinessKey
	w.OccurredAt, w.Sequence, w.Defect = found.OccurredAt.Truncate(time.Microsecond), found.Sequence, ""
	if w.IdentitySource == identity.None {
		return errors.New("no event id is found in it")
	}
	return nil
}

// maxID bounds ids, types and keys, in bytes, as at the edge.
const maxID = 512

// printable reports whether s can go into keys, headers and columns as it is.
func printable(s string) bool {
	return s != "" && len(s) <= maxID && utf8.ValidString(s) && !slices.ContainsFunc([]rune(s), unicode.IsControl)
}

// under is d with the key and the headers that tell w's identity. Every other
// header stays.
func under(d *record.DeadLetter, w *record.Webhook) *record.DeadLetter {
	r := w.Record(d.Failed.Topic)
	out := *d
	out.Key = r.Key
	out.Headers.DeleteFunc(func(name string) bool {
		return name == header.Defect || name == header.Time || name == header.Sequence
	}) // which copies them
	for _, h := range r.Headers {
		out.Headers.Put(h.Key, h.Value)
	}
	return &out
}
