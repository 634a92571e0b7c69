// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"slices"
	"strings"
)

// refs lists every reference of the definition.
func (d *Definition) refs() []Ref {
	refs := d.recordRefs()
	for i := range d.Handshakes {
		refs = append(refs, d.Handshakes[i].refs()...)
	}
	if d.Answer != nil {
		refs = append(refs, d.Answer.Body.Refs()...)
	}
	return refs
}

// recordRefs lists what it takes to verify and identify a webhook.
func (d *Definition) recordRefs() []Ref {
	var refs []Ref
	for i := range d.Verify {
		refs = append(refs, d.Verify[i].refs()...)
	}
	id := &d.Identity
	for _, list := range [][]Alternative{id.Tenant, id.ID, id.Type, id.Key, id.Time, id.Sequence} {
		for _, a := range list {
			refs = append(refs, a.From.Refs()...)
		}
	}
	return refs
}

func (v *Verify) refs() []Ref {
	refs := append(v.When.Refs(), v.Signed.Refs()...)
	refs = append(refs, v.Signature.refs()...)
	if v.Timestamp != nil {
		refs = append(refs, v.Timestamp.refs()...)
	}
	if v.Certificate != nil {
		refs = append(refs, v.Certificate.URL.Refs()...)
	}
	return refs
}

func (h *Handshake) refs() []Ref {
	refs := append(h.When.Refs(), h.URL.Refs()...)
	if h.Token != nil {
		refs = append(refs, h.Token.Refs()...)
	}
	return append(refs, h.Answer.Body.Refs()...)
}

// refs is the location as references, or nothing where none is set.
func (l *Location) refs() []Ref {
	switch {
	case l.Header != "":
		var refs []Ref
		for _, name := range l.Headers() {
			refs = append(refs, Ref{Kind: RefHeader, Name: name})
		}
		return refs
	case l.Query != "":
		return []Ref{{Kind: RefQuery, Name: l.Query}}
	case l.Body != "":
		return []Ref{{Kind: RefBodyPath, Name: l.Body}}
	}
	return nil
}

// BodyPaths lists the body paths that the definition refers to anywhere, each
// once.
func (d *Definition) BodyPaths() []string {
	var out []string
	for _, ref := range d.refs() {
		if ref.Kind == RefBodyPath && !slices.Contains(out, ref.Name) {
			out = append(out, ref.Name)
		}
	}
	return out
}

// RequestHeaders lists the request headers to keep on the record, each once as
// it was first written: those that verification and identity refer to, so that a
// record can be verified and identified again, and those that the definition
// preserves. One that carries a secret in the clear is never among them. A name
// that ends in * stands for several, see Location.
func (d *Definition) RequestHeaders() []string {
	var out []string
	add := func(name string) {
		same := func(other string) bool { return strings.EqualFold(name, other) }
		if !slices.ContainsFunc(out, same) && !d.holdsSecret(Ref{Kind: RefHeader, Name: name}) {
			out = append(out, name)
		}
	}
	for _, ref := range d.recordRefs() {
		if ref.Kind == RefHeader {
			add(ref.Name)
		}
	}
	for _, name := range d.Preserve {
		add(name)
	}
	return out
}

// ClearSecret reports whether what Signature finds is the secret itself or may be
// used again, so that it must never be stored.
func (v *Verify) ClearSecret() bool {
	return v.Scheme == Token || v.Scheme == Basic || v.Scheme == JSONWebToken
}

// holdsSecret reports whether a part of the request is a secret in the clear
// under one of the schemes.
func (d *Definition) holdsSecret(ref Ref) bool {
	for i := range d.Verify {
		v := &d.Verify[i]
		for _, signature := range v.Signature.refs() {
			if v.ClearSecret() && ref.Is(signature.Kind, signature.Name) {
				return true
			}
		}
	}
	return false
}

// KeepsMethod reports whether a record that v verified needs the request's method
// to be verified again.
func (d *Definition) KeepsMethod(v *Verify) bool {
	return slices.ContainsFunc(v.refs(), func(r Ref) bool { return r.Kind == RefMethod })
}

// KeepsURL reports whether a record that v verified needs the request's URL to be
// verified again. One whose query may hold a token is never kept.
func (d *Definition) KeepsURL(v *Verify) bool {
	for i := range d.Verify {
		if d.Verify[i].ClearSecret() && d.Verify[i].Signature.Query != "" {
			return false
		}
	}
	return v.Scheme == Twilio || slices.ContainsFunc(v.refs(), func(r Ref) bool {
		return r.Kind == RefURL || r.Kind == RefPath || r.Kind == RefQuery
	})
}

// Covers reports whether the signature proves a part of the request: an attacker
// who has seen a signed request cannot change it.
func (v *Verify) Covers(ref Ref) bool {
	switch v.Scheme {
	case Twilio: // the URL, and the form or a hash of the body
		return ref.Kind == RefURL || ref.Kind == RefPath || ref.Kind == RefQuery || ref.Kind == RefBody || ref.Kind == RefBodyPath
	case MTLS: // the whole connection
		return true
	}
	return slices.ContainsFunc(v.Signed.Refs(), func(signed Ref) bool {
		return signed.covers(ref) || signed.Kind == RefTimestamp && v.Timestamp.is(ref)
	})
}

// is reports whether the timestamp is all of a part of the request.
func (t *Timestamp) is(ref Ref) bool {
	return t != nil && t.Prefix == "" && t.Separator == "" && slices.ContainsFunc(t.refs(), func(r Ref) bool { return r.Is(ref.Kind, ref.Name) })
}

// covers reports whether signing r proves other too. A CRC proves nothing: other
// bodies with the same one are easily made.
func (r Ref) covers(other Ref) bool {
	switch {
	case slices.Contains(r.Filters, CRC32), slices.Contains(r.Filters, Hide):
		return false
	case r.Is(other.Kind, other.Name):
		return true
	case r.Kind == RefBody:
		return other.Kind == RefBodyPath
	case r.Kind == RefURL:
		return other.Kind == RefPath || other.Kind == RefQuery
	}
	return false
}

// CoversBody reports whether the signature proves the whole body.
func (v *Verify) CoversBody() bool { return v.Covers(Ref{Kind: RefBody}) }
