// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// rules say which fields of Verify a scheme needs; it may have no others of these.
type rules struct {
	// algorithm means algorithm; content means signed, and allows timestamp.
	algorithm, encoding, signature, content bool
	// key means that secret.encoding must be said.
	key bool
	// secret allows {secret} in signed.
	secret           bool
	certificate, jwt bool
}

var schemes = map[Scheme]rules{
	HMAC:         {algorithm: true, encoding: true, signature: true, content: true, key: true},
	Hash:         {algorithm: true, encoding: true, signature: true, content: true, key: true, secret: true},
	Ed25519:      {encoding: true, signature: true, content: true, key: true},
	ECDSA:        {encoding: true, signature: true, content: true, key: true},
	RSA:          {algorithm: true, encoding: true, signature: true, content: true, secret: true, certificate: true},
	JSONWebToken: {signature: true, jwt: true},
	Twilio:       {encoding: true, signature: true},
	Token:        {signature: true},
	Basic:        {signature: true},
	MTLS:         {},
}

func (s Scheme) rules() rules { return schemes[s] }

var schemeNames = []Scheme{HMAC, Hash, Ed25519, ECDSA, RSA, JSONWebToken, Twilio, Token, Basic, MTLS}

func (d *Definition) validateVerify(p *problems) {
	if len(d.Verify) == 0 {
		p.add("names no scheme", "verify")
	}
	seen := map[string]bool{}
	for i := range d.Verify {
		v := &d.Verify[i]
		at := under(p, "verify", i)
		validateScheme(at, v)
		if len(d.Verify) > 1 && (v.Name == "" || seen[v.Name]) {
			at.add("several schemes need a name each, for keys and records to refer to", "name")
		}
		seen[v.Name] = true
		if v.PerItem && len(d.Body.Batch) == 0 {
			at.add("body.batch names no items", "per_item")
		}
	}
	d.validateStrength(p)
}

// scope is a place in the definition that problems are reported below.
type scope struct {
	*problems
	path []any
}

func under(p *problems, path ...any) scope { return scope{p, path} }

func (s scope) add(message string, path ...any) {
	s.problems.add(message, append(slices.Clone(s.path), path...)...)
}

func (s scope) has(path ...any) bool {
	return s.def.source.Has(append(slices.Clone(s.path), path...)...)
}

func validateScheme(at scope, v *Verify) {
	need, known := schemes[v.Scheme]
	if !known {
		at.add(fmt.Sprintf("%q is not one of %s", v.Scheme, join(schemeNames)), "scheme")
		return
	}
	if v.Name != "" && !ValidName(v.Name) {
		at.add(notAName(v.Name), "name")
	}
	validateConditions(at, v.When, "when")
	for _, f := range []struct {
		name         string
		needed, used bool
	}{
		{"algorithm", need.algorithm, v.Algorithm != ""},
		{"encoding", need.encoding, v.Encoding != ""},
		{"signature", need.signature, v.Signature != (Location{})},
		{"signed", need.content, len(v.Signed) > 0},
		{"certificate", need.certificate, v.Certificate != nil},
		{"jwt", need.jwt, v.JWT != nil},
	} {
		if f.needed && !f.used {
			at.add(fmt.Sprintf("the scheme %s needs %s", v.Scheme, f.name), f.name)
		}
		if !f.needed && f.used {
			at.add(fmt.Sprintf("the scheme %s has no %s", v.Scheme, f.name), f.name)
		}
	}
	oneOf(at, v.Algorithm, need.algorithm && v.Algorithm != "", []string{"sha1", "sha256", "sha512"}, "algorithm")
	oneOf(at, v.Encoding, need.encoding && v.Encoding != "", []string{"hex", "base64"}, "encoding")
	oneOf(at, v.Secret.Encoding, true, []string{"raw", "base64", "hex"}, "secret", "encoding")
	if v.Secret.Required && v.Secret.Prefix == "" {
		at.add("required without a prefix", "secret")
	}
	if need.signature && v.Signature != (Location{}) {
		validateLocation(at, &v.Signature, "signature")
	}
	validateSigned(at, v, need)
	validateTimestamp(at, v, need)
	validateCertificate(at, v.Certificate)
	validateJWT(at, v.JWT)
}

func validateSigned(at scope, v *Verify, need rules) {
	secret := false
	for _, ref := range v.Signed.Refs() {
		secret = secret || ref.Kind == RefSecret
		if ref.Kind == RefSecret && !need.secret {
			at.add(fmt.Sprintf("the scheme %s signs no {secret}", v.Scheme), "signed")
		}
		if slices.Contains(ref.Filters, Sign) {
			at.add(fmt.Sprintf("{%s}: the filter %s is for the answers of handshakes", ref, Sign), "signed")
		}
	}
	switch {
	case v.Scheme == Hash && !secret:
		at.add("must contain {secret}: a hash without it proves nothing", "signed")
	case v.Scheme == RSA && !secret:
		at.add("must contain {secret}, what the provider calls our endpoint: its certificate signs for all its customers", "signed")
	}
	switch covered := v.CoversBody(); {
	case !covered && !v.UnsignedBody && need.content:
		at.add("must contain {body}: a body that is not signed proves nothing. Where the provider signs none, or only a CRC or fields of it, say unsigned_body: true", "signed")
	case !covered && !v.UnsignedBody:
		at.add(fmt.Sprintf("the scheme %s does not cover the body: say so with unsigned_body: true", v.Scheme), "unsigned_body")
	case covered && v.UnsignedBody:
		at.add("the signature covers the body", "unsigned_body")
	}
}

func validateTimestamp(at scope, v *Verify, need rules) {
	refers := slices.ContainsFunc(v.Signed.Refs(), func(r Ref) bool { return r.Kind == RefTimestamp })
	t := v.Timestamp
	if t == nil {
		if refers {
			at.add("{timestamp} needs verify.timestamp, which says where it is", "signed")
		}
		return
	}
	if !need.content {
		at.add(fmt.Sprintf("the scheme %s has no timestamp", v.Scheme), "timestamp")
		return
	}
	validateLocation(at, &t.Location, "timestamp")
	for _, ref := range t.refs() {
		if !refers && !v.Covers(ref) {
			at.add("an unsigned time proves nothing: signed must contain {timestamp} or the place that it is read from", "timestamp")
		}
	}
	oneOf(at, t.Unit, true, units, "timestamp", "unit")
	if t.Tolerance < 0 || !at.has("timestamp", "tolerance") {
		at.add("must be a duration, such as 5m, or 0 where the provider documents none", "timestamp", "tolerance")
	}
}

func validateLocation(at scope, l *Location, name string) {
	var places []string
	if l.Header != "" {
		places = append(places, "header")
		for _, header := range l.Headers() {
			if strings.Contains(strings.TrimSuffix(header, "*"), "*") {
				at.add("a * may only stand at the end, for a number", name, "header")
			} else if err := checkHeader(header); err != nil {
				at.add(err.Error(), name, "header")
			}
		}
	}
	if l.Query != "" {
		places = append(places, "query")
	}
	if l.Body != "" {
		places = append(places, "body")
		if err := checkPath(l.Body); err != nil {
			at.add(err.Error(), name, "body")
		}
	}
	if len(places) != 1 {
		at.add(fmt.Sprintf("names %d of header, query and body; it must be one", len(places)), name)
	}
}

func validateCertificate(at scope, c *Certificate) {
	if c == nil {
		return
	}
	if len(c.URL.Refs()) == 0 {
		at.add("refers to no part of the request", "certificate", "url")
	}
	validateRequestRefs(at, c.URL.Refs(), "certificate", "url")
	validateHosts(at, c.Hosts, "certificate", "hosts")
	if len(c.Subjects) == 0 {
		at.add("names nobody; without one, anybody's certificate would do", "certificate", "subjects")
	}
	validateHostPatterns(at, c.Subjects, "certificate", "subjects")
}

func validateHosts(at scope, hosts []string, path ...any) {
	if len(hosts) == 0 {
		at.add("names no host; without one, whoever sends a request chooses where we connect", path...)
	}
	validateHostPatterns(at, hosts, path...)
}

func validateHostPatterns(at scope, patterns []string, path ...any) {
	for i, h := range patterns {
		if err := checkHost(h); err != nil {
			at.add(err.Error(), append(slices.Clone(path), i)...)
		}
	}
}

// jwtAlgorithms are the asymmetric ones of RFC 7518 and RFC 8037. Not none, and no
// HMAC either, for which a public key would be the secret.
var jwtAlgorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

func validateJWT(at scope, j *JWT) {
	if j == nil {
		return
	}
	if u, err := url.Parse(j.Keys); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		at.add(fmt.Sprintf("%q is not an https URL", j.Keys), "jwt", "keys")
	}
	if len(j.Algorithms) == 0 {
		at.add("pins no algorithm", "jwt", "algorithms")
	}
	for i, a := range j.Algorithms {
		oneOf(at, a, true, jwtAlgorithms, "jwt", "algorithms", i)
	}
	if len(j.Issuers) == 0 {
		at.add("names no issuer", "jwt", "issuers")
	}
	if len(j.Secret) == 0 {
		at.add("names no claim: any customer's token would do", "jwt", "secret")
	}
}
