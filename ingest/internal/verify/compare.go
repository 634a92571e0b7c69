// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
)

// The schemes in this file compare what a request says with the secret. Both
// are hashed first, so that the time tells neither content nor length.

// equalTo returns the index of the key that is the text, or -1. All are compared.
func (at *attempt) equalTo(text string) int {
	digest, found := sha256.Sum256([]byte(text)), -1
	for i, f := range at.keys {
		if subtle.ConstantTimeCompare(digest[:], f.digest[:]) == 1 && found < 0 {
			found = i
		}
	}
	return found
}

// clearToken is the secret itself.
type clearToken struct{ *alternative }

func (clearToken) prepare(*form) error { return nil }

func (c clearToken) present(req *request.Request) bool { return c.signature.first(req) != "" }

func (c clearToken) check(_ context.Context, at *attempt) (int, error) {
	for item := range c.signature.items(at.req) {
		if i := at.equalTo(item); i >= 0 {
			return i, nil
		}
	}
	return 0, refuse(SignatureMismatch, "%s is not a configured secret", &c.signature)
}

// basic is a user and a password (RFC 7617).
type basic struct{ *alternative }

func (basic) prepare(*form) error { return nil }

func (b basic) present(req *request.Request) bool { return len(b.credentials(req)) > 0 }

func (b basic) check(_ context.Context, at *attempt) (int, error) {
	for _, credentials := range b.credentials(at.req) {
		text, err := base64.StdEncoding.DecodeString(credentials)
		if err != nil {
			return 0, refuse(MalformedSignature, "%s holds no credentials in base64", &b.signature)
		}
		if i := at.equalTo(string(text)); i >= 0 {
			return i, nil
		}
	}
	return 0, refuse(SignatureMismatch, "%s holds other credentials than the configured", &b.signature)
}

// credentials are those of the Basic scheme, whose name has no case. A definition
// may cut it off as the prefix.
func (b basic) credentials(req *request.Request) (out []string) {
	const name = "basic "
	for item := range b.signature.items(req) {
		if b.signature.spec.Prefix != "" {
			out = append(out, item)
		} else if len(item) > len(name) && strings.EqualFold(item[:len(name)], name) {
			out = append(out, strings.TrimSpace(item[len(name):]))
		}
	}
	return out
}

// clientCertificate is the subject of a certificate that the TLS listener has
// verified.
type clientCertificate struct{}

func (clientCertificate) prepare(*form) error { return nil }

func (clientCertificate) present(req *request.Request) bool { return verifiedLeaf(req) != nil }

func (clientCertificate) check(_ context.Context, at *attempt) (int, error) {
	leaf := verifiedLeaf(at.req)
	names := append([]string{leaf.Subject.CommonName}, leaf.DNSNames...)
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	for _, name := range names {
		if i := at.equalTo(name); name != "" && i >= 0 {
			return i, nil
		}
	}
	return 0, refuse(SignatureMismatch, "the client certificate has another subject than the configured")
}

// verifiedLeaf is the client's certificate, or nil where the listener verified
// none.
func verifiedLeaf(req *request.Request) *x509.Certificate {
	state := req.TLS()
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}
