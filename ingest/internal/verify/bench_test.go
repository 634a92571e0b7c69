// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// benchmarked is a signed request with a body of 2 KB, and the keys that verify it.
func benchmarked(b *testing.B, verification, sign, key string) (*provider.Definition, *verify.Verifier, *http.Request, []byte, []verify.Key) {
	b.Helper()
	def, verifiers := own(b, verification, verify.Trust{})
	body, err := json.Marshal(map[string]string{"id": "evt_9", "kind": "paid", "text": string(bytes.Repeat([]byte("x"), 2000))})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, ownURL, nil)
	if _, err := verifiers["own"].SignRequest(r, body, secret.Secret(sign), signedAt); err != nil {
		b.Fatal(err)
	}
	return def, verifiers["own"], r, body, keysOf(b, verifiers, "own", key)
}

// BenchmarkVerify measures what a 2 KB request costs under each scheme. HMAC is
// the hot path: it must not allocate.
func BenchmarkVerify(b *testing.B) {
	const hmacVerify = `
verify:
  scheme: hmac
  algorithm: sha256
  encoding: hex
  signature: {header: X-Signature, separator: ",", prefix: "v1="}
  timestamp: {header: X-Signature, separator: ",", prefix: "t=", unit: s, tolerance: 5m}
  signed: "{timestamp}.{body}"
  secret: {encoding: raw}
`
	for _, c := range []struct{ name, verification, sign, key string }{
		{"hmac", hmacVerify, "own", "own"},
		{"token", "verify: {scheme: token, signature: {header: X-Signature}, unsigned_body: true}\n", "own", "own"},
		{"twilio", "verify: {scheme: twilio, encoding: base64, signature: {header: X-Signature}}\n", "own", "own"},
		{"ed25519", ed25519Verify, edPrivate, edKey},
		{"ecdsa", ecdsaVerify, ecPrivate, ecKey},
	} {
		b.Run(c.name, func(b *testing.B) {
			def, v, r, body, keys := benchmarked(b, c.verification, c.sign, c.key)
			req := request.New(r, body, request.NewFields(def), "")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), req, keys, signedAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyCertificate(b *testing.B) {
	def, verifiers := own(b, rsaVerify, verify.Trust{
		Fetcher: &outside{documents: map[string][]byte{certURL: testdata(b, "leaf.pem", "intermediate.pem")}}, Roots: roots(b),
	})
	c := paid(texts(b, "signatures.json")["valid"], certURL)
	req, keys := c.request(def), keysOf(b, verifiers, "own", c.secrets...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifiers["own"].Verify(b.Context(), req, keys, signedAt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyToken(b *testing.B) {
	def, verifiers := own(b, jwtVerify, verify.Trust{Fetcher: &outside{documents: map[string][]byte{keysURL: testdata(b, "keys.json")}}})
	c := bearer(texts(b, "tokens.json")["valid"])
	req, keys := c.request(def), keysOf(b, verifiers, "own", c.secrets...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifiers["own"].Verify(b.Context(), req, keys, signedAt); err != nil {
			b.Fatal(err)
		}
	}
}
