// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"strings"
	"time"
)

// Verifications are a provider's signature schemes, in YAML one mapping or a
// list of them, the strongest first. A request is verified by the first that
// applies: its When holds, the tenant has a key for it, and the request carries its
// signature. There is no second try with another one, so what is wrong under the
// scheme that a request chose stays wrong, and nothing saves a request whose
// stronger signature is malformed.
type Verifications []Verify

// Scheme is a way to verify.
type Scheme string

// The schemes. Each uses the fields of Verify that its line names, besides
// Name, When, Signature, Secret, PerItem and UnsignedBody.
const (
	// HMAC of Signed under the secret (RFC 2104): Algorithm, Encoding, Signed,
	// Timestamp.
	HMAC Scheme = "hmac"
	// Hash is a plain hash of Signed, which contains {secret}: Algorithm,
	// Encoding, Signed, Timestamp.
	Hash Scheme = "hash"
	// Ed25519 (RFC 8032) over Signed; the secret is the public key: Encoding,
	// Signed, Timestamp.
	Ed25519 Scheme = "ed25519"
	// ECDSA over P-256 and SHA-256 with an ASN.1 DER signature; the secret is
	// the public key as DER SubjectPublicKeyInfo: Encoding, Signed, Timestamp.
	ECDSA Scheme = "ecdsa"
	// RSA is PKCS #1 v1.5 over Signed, by a certificate that the request
	// points to: Algorithm, Encoding, Signed, Timestamp, Certificate.
	RSA Scheme = "rsa"
	// JSONWebToken is a signed token (RFC 7519) under a published key set: JWT. The
	// secret is what the token must say, see JWT.Secret.
	JSONWebToken Scheme = "jwt"
	// Twilio signs the URL and the sorted form, with or without the port, or
	// the URL and a hash of a JSON body in its query: Encoding.
	Twilio Scheme = "twilio"
	// Token compares what Signature finds with the secret.
	Token Scheme = "token"
	// Basic compares the user and password of RFC 7617 with the secret,
	// user:password.
	Basic Scheme = "basic"
	// MTLS compares the subject's common name and the DNS and URI names of
	// the verified client certificate with the secret.
	MTLS Scheme = "mtls"
)

// Verify is one declarative signature scheme.
type Verify struct {
	// Name tells several schemes of one provider apart, for example v3.
	Name   string `yaml:"name"`
	Scheme Scheme `yaml:"scheme"`
	// Weaker is set where the scheme proves less than one before it.
	Weaker *Weaker    `yaml:"weaker"`
	When   Conditions `yaml:"when"`
	// Algorithm is sha1, sha256 or sha512. It is pinned here; nothing in a
	// request chooses it.
	Algorithm string `yaml:"algorithm"`
	// Encoding of the signature: hex or base64.
	Encoding  string     `yaml:"encoding"`
	Signature Location   `yaml:"signature"`
	Timestamp *Timestamp `yaml:"timestamp"`
	// Signed is what the signature covers: the segments one after the other.
	Signed Segments `yaml:"signed"`
	Secret Secret   `yaml:"secret"`
	// PerItem verifies every item of a batch by itself, on the body cut down
	// to that item, instead of the request once.
	PerItem bool `yaml:"per_item"`
	// UnsignedBody admits that the signature does not cover the body.
	UnsignedBody bool         `yaml:"unsigned_body"`
	Certificate  *Certificate `yaml:"certificate"`
	JWT          *JWT         `yaml:"jwt"`
}

// Location finds values in a request: in a header, in the query or in the body, of
// which one is set. The text is split at Separator, items without Prefix are
// ignored, and the prefix is cut off. Without a separator the whole text is one
// item. A header that ends in * stands for itself with 1, 2, … 100 in place of
// the star, and every field of a repeated header counts. Several headers are
// separated by a comma.
type Location struct {
	Header string `yaml:"header"`
	Query  string `yaml:"query"`
	// Body is a path in the decoded body.
	Body      string `yaml:"body"`
	Separator string `yaml:"separator"`
	Prefix    string `yaml:"prefix"`
}

// Headers are the names in Header, in their order.
func (l *Location) Headers() []string {
	if l.Header == "" {
		return nil
	}
	names := strings.Split(l.Header, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

// Timestamp is the signed time of a request, and how far it may lie from now
// in both directions.
type Timestamp struct {
	Location `yaml:",inline"`
	Unit     Unit `yaml:"unit"`
	// Tolerance of 0 does not check the time: the provider documents none.
	Tolerance time.Duration `yaml:"tolerance"`
}

// Segment is a piece of the signed content. An optional one is left out where a
// reference in it leads nowhere.
type Segment struct {
	Template Template
	Optional bool
}

// Segments is in YAML one template, or a list of templates and of
// {optional: template}.
type Segments []Segment

// Refs lists the references of every segment.
func (s Segments) Refs() []Ref {
	var refs []Ref
	for _, segment := range s {
		refs = append(refs, segment.Template.Refs()...)
	}
	return refs
}

// Secret says how a configured secret becomes the key: Prefix is cut off where
// it is there, the rest is decoded.
type Secret struct {
	Prefix string `yaml:"prefix"`
	// Required leaves secrets without the prefix to the other schemes.
	Required bool `yaml:"required"`
	// Encoding is raw, base64 or hex.
	Encoding string `yaml:"encoding"`
}

// Certificate says where the signing certificate is and whom it must belong to.
type Certificate struct {
	// URL of the certificate as the request gives it. Only https to one of
	// Hosts is ever fetched.
	URL Template `yaml:"url"`
	// Hosts are exact names, or patterns in which * is one label's part, for
	// example sns.us-*.amazonaws.com. (sns.*.amazonaws.com would also be
	// sns.s3.amazonaws.com, a storage bucket.)
	Hosts []string `yaml:"hosts"`
	// Subjects are patterns like Hosts. The certificate, chained to a trusted
	// root, must have one of them as its common name or a DNS name.
	Subjects []string `yaml:"subjects"`
	// Unchained admits that the certificate comes without those between it
	// and a root, as SNS sends it: then it is trusted for having come by
	// https from one of Hosts, while it is valid.
	Unchained bool `yaml:"unchained"`
}

// JWT pins what a token must be signed by and say.
type JWT struct {
	// Keys is the URL of the JSON Web Key Set (RFC 7517).
	Keys string `yaml:"keys"`
	// Algorithms that are accepted, for example RS256; never none.
	Algorithms []string `yaml:"algorithms"`
	Issuers    []string `yaml:"issuers"`
	// Claims that must have these values.
	Claims map[string]string `yaml:"claims"`
	// Secret names the claims whose values the configured secret lists,
	// separated by spaces, for example [aud, email].
	Secret []string `yaml:"secret"`
}
