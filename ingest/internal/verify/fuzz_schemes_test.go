// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// everywhere is one document at every URL.
type everywhere []byte

func (e everywhere) Fetch(context.Context, string) ([]byte, error)   { return e, nil }
func (e everywhere) Refresh(context.Context, string) ([]byte, error) { return e, nil }

// FuzzSchemes sends anything under every scheme, with keys that were made a moment
// ago and that nobody has signed with. Nothing may be accepted, and whatever is
// refused has a cause that tells nothing of the keys.
func FuzzSchemes(f *testing.F) {
	random := rand.Text()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	certificate := verify.Trust{Fetcher: everywhere(testdata(f, "leaf.pem", "intermediate.pem")), Roots: roots(f)}
	keySet := verify.Trust{Fetcher: everywhere(testdata(f, "keys.json"))}
	type target struct {
		def      *provider.Definition
		verifier *verify.Verifier
		keys     []verify.Key
		secret   string
	}
	var targets []target
	for _, c := range []struct {
		verification, secret string
		trust                verify.Trust
	}{
		{strings.ReplaceAll(mixed, "1767225600{body}", "{header.X-Id?}|{query.q?}|{url}|{body.id?}|{body}"), random, verify.Trust{}},
		{ed25519Verify, hex.EncodeToString(public), verify.Trust{}},
		{ecdsaVerify, base64.StdEncoding.EncodeToString(der), verify.Trust{}},
		{rsaVerify, random, certificate},
		{jwtVerify, random + " " + random, keySet},
		{"verify: {scheme: twilio, encoding: base64, signature: {header: X-Signature}}\n", random, verify.Trust{}},
		{"verify: {scheme: hash, algorithm: sha1, encoding: hex, signature: {header: 'X-Signature-*', separator: ';', prefix: 's='}, signed: '{secret}{body}', secret: {encoding: raw}}\n", random, verify.Trust{}},
		{"verify: {scheme: token, signature: {body: token}, unsigned_body: true}\n", random, verify.Trust{}},
		{"verify: {scheme: token, signature: {query: q}, unsigned_body: true}\n", random, verify.Trust{}},
		{"verify: {scheme: basic, signature: {header: Authorization}, unsigned_body: true}\n", random, verify.Trust{}},
		{"verify: {scheme: mtls}\n", random, verify.Trust{}},
	} {
		def, verifiers := own(f, c.verification, c.trust)
		targets = append(targets, target{def, verifiers["own"], keysOf(f, verifiers, "own", c.secret), c.secret})
	}

	f.Add("v1,"+edConfused1, "1767225600", "", "a=b", []byte(ownBody))
	f.Add(edSignature, "1767225600", "Bearer "+texts(f, "tokens.json")["hs256"], "bodySHA256=00", []byte("To=1&To=2"))
	f.Add(ecSignature, "", "Basic Ym9iOnB3", "q=%zz;", []byte(`{"id":"s=;s="}`))
	f.Add(texts(f, "signatures.json")["valid"], "2026-01-01T00:00:00Z", "Bearer a.b.c", "", []byte("\xff"))
	f.Fuzz(func(t *testing.T, signature, at, authorization, query string, body []byte) {
		r := &http.Request{Method: http.MethodPost, Host: "hooks.example.com", URL: &url.URL{Scheme: "https", Host: "hooks.example.com", Path: "/webhooks/own", RawQuery: query}, Header: http.Header{
			"X-Signature": {signature, at}, "X-Signature-1": {signature}, "X-Time": {at}, "X-Id": {at}, "Authorization": {authorization},
			"Pay-Signature": {signature}, "Pay-Time": {at}, "Pay-Id": {at}, "Pay-Cert-Url": {certURL, authorization},
		}}
		for _, target := range targets {
			req := request.New(r, body, request.NewFields(target.def), "")
			got, err := target.verifier.Verify(t.Context(), req, target.keys, signedAt)
			var refused *verify.Error
			switch {
			case err == nil:
				t.Fatalf("%s accepted what nobody signed", got.Scheme)
			case !errors.As(err, &refused) || refused.Cause == "" || refused.Detail == "":
				t.Fatalf("refused without a cause: %v", err)
			case strings.Contains(err.Error(), target.secret):
				t.Fatalf("the refusal tells the secret: %v", err)
			case strings.ContainsFunc(err.Error(), unicode.IsControl):
				t.Fatalf("the refusal holds what was sent: %q", err)
			}
		}
	})
}
