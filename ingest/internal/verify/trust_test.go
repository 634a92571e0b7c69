// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/verify"
)

// The certificates, key sets, tokens and signatures in testdata were made with
// Python's cryptography package.

// outside serves documents by URL, and newer ones when asked again.
type outside struct {
	documents, newer map[string][]byte
	asked            []string
}

func (o *outside) Fetch(_ context.Context, url string) ([]byte, error) {
	return o.serve(o.documents, url)
}

func (o *outside) Refresh(_ context.Context, url string) ([]byte, error) {
	if o.newer == nil {
		return o.serve(o.documents, url)
	}
	return o.serve(o.newer, url)
}

func (o *outside) serve(from map[string][]byte, url string) ([]byte, error) {
	o.asked = append(o.asked, url)
	if doc, ok := from[url]; ok {
		return doc, nil
	}
	return nil, errors.New("no such document")
}

func testdata(t testing.TB, names ...string) []byte {
	t.Helper()
	var all []byte
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data...)
	}
	return all
}

func texts(t testing.TB, name string) map[string]string {
	t.Helper()
	var out map[string]string
	if err := json.Unmarshal(testdata(t, name), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func roots(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(testdata(t, "root.pem")) {
		t.Fatal("no root")
	}
	return pool
}

const rsaVerify = `
verify:
  scheme: rsa
  algorithm: sha256
  encoding: base64
  signature: {header: Pay-Signature}
  timestamp: {header: Pay-Time, unit: rfc3339, tolerance: 5m}
  signed: "{header.Pay-Id}|{timestamp}|{secret}|{body|crc32}"
  unsigned_body: true
  certificate:
    url: "{header.Pay-Cert-Url}"
    hosts: [api.pay.example, "certs.*-1.pay.example"]
    subjects: [messages.pay.example]
`

const certURL = "https://api.pay.example/v1/certs/CERT-1"

// paid is a request that is signed for the webhook WH-1, with the certificate at
// a URL.
func paid(signature, location string) call {
	return call{body: ownBody, secrets: []string{"WH-1"}, header: []string{
		"Pay-Id: tx-1", "Pay-Time: 2026-01-01T00:00:00Z", "Pay-Signature: " + signature, "Pay-Cert-Url: " + location,
	}}
}

func (c call) but(change func(*call)) call {
	change(&c)
	return c
}

func refused(cause verify.Cause) func(*call) { return func(c *call) { c.cause = cause } }

func TestCertificates(t *testing.T) {
	signed := texts(t, "signatures.json")
	chain := testdata(t, "leaf.pem", "intermediate.pem")
	fetcher := &outside{documents: map[string][]byte{
		certURL:                                chain,
		"https://certs.eu-1.pay.example/c.pem": chain,
		"https://api.pay.example/v1/certs/expired":  testdata(t, "expired.pem", "intermediate.pem"),
		"https://api.pay.example/v1/certs/other":    testdata(t, "other.pem", "intermediate.pem"),
		"https://api.pay.example/v1/certs/self":     testdata(t, "selfsigned.pem"),
		"https://api.pay.example/v1/certs/leaf":     testdata(t, "leaf.pem"),
		"https://api.pay.example/v1/certs/backward": testdata(t, "intermediate.pem", "leaf.pem"),
		"https://api.pay.example/v1/certs/short":    testdata(t, "short.pem", "intermediate.pem"),
		"https://api.pay.example/v1/certs/quoted":   append([]byte("<Message>\n"), chain...),
		"https://api.pay.example/v1/certs/empty":    {},
	}}
	at := func(name string) string { return "https://api.pay.example/v1/certs/" + name }
	run(t, rsaVerify, verify.Trust{Fetcher: fetcher, Roots: roots(t)}, map[string]call{
		"valid":               paid(signed["valid"], certURL),
		"second webhook":      paid(signed["valid"], certURL).but(func(c *call) { c.secrets, c.key = []string{"WH-2", "WH-1"}, 1 }),
		"by a pattern":        paid(signed["valid"], "https://certs.eu-1.pay.example/c.pem"),
		"other webhook":       paid(signed["otherHook"], certURL).but(refused(verify.SignatureMismatch)),
		"SHA-1":               paid(signed["sha1"], certURL).but(refused(verify.SignatureMismatch)),
		"PSS":                 paid(signed["pss"], certURL).but(refused(verify.SignatureMismatch)),
		"body changed":        paid(signed["valid"], certURL).but(func(c *call) { c.body += " "; c.cause = verify.SignatureMismatch }),
		"expired":             paid(signed["valid"], at("expired")).but(refused(verify.UntrustedCertificate)),
		"somebody else's":     paid(signed["valid"], at("other")).but(refused(verify.UntrustedCertificate)),
		"self-signed":         paid(signed["valid"], at("self")).but(refused(verify.UntrustedCertificate)),
		"chain broken":        paid(signed["valid"], at("leaf")).but(refused(verify.UntrustedCertificate)),
		"leaf not first":      paid(signed["valid"], at("backward")).but(refused(verify.UntrustedCertificate)),
		"short key":           paid(signed["shortKey"], at("short")).but(refused(verify.UntrustedCertificate)),
		"quoted in an answer": paid(signed["valid"], at("quoted")).but(refused(verify.UntrustedCertificate)),
		"empty document":      paid(signed["valid"], at("empty")).but(refused(verify.UntrustedCertificate)),
		"not there":           paid(signed["valid"], at("missing")).but(refused(verify.KeysUnavailable)),
		"replayed":            paid(signed["valid"], certURL).but(func(c *call) { c.after, c.cause = time.Hour, verify.TimestampOutsideTolerance }),
		"no URL":              paid(signed["valid"], "").but(refused(verify.MissingPart)),
	})
}

// TestCertificateURLIsPinned: nothing is ever fetched from where the definition
// does not say.
func TestCertificateURLIsPinned(t *testing.T) {
	signed := texts(t, "signatures.json")
	fetcher := &outside{}
	calls := map[string]call{}
	for _, location := range []string{
		"http://api.pay.example/c.pem",
		"https://evil.example/c.pem",
		"https://api.pay.example.evil.example/c.pem",
		"https://evil.example/api.pay.example/c.pem",
		"https://api.pay.example@evil.example/c.pem",
		"https://evil.example#@api.pay.example/c.pem",
		"https://evil.example?@api.pay.example/c.pem",
		"https://evil.example\\@api.pay.example/c.pem",
		"https://user@api.pay.example/c.pem",
		"https://user:pass@api.pay.example/c.pem",
		"https://api.pay.example:8443/c.pem",
		"https://api.pay.example:0443/c.pem",
		"https://api.pay.example./c.pem",
		"https://api%2epay.example/c.pem",
		"https://api.pay.example%00.evil.example/c.pem",
		"https://api.pay.example%2fevil.example/c.pem",
		"https://api.pay.example/c.pem?Action=Echo",
		"https://api.pay.example/c.pem?",
		"https://api.pay.example/c.pem#x",
		"https://api.pay.example/%2e%2e/c.pem",
		"https://api.pay.example/../c.pem",
		"https://api.pay.example/c%0d%0aHost:evil.example",
		"https://api\u3002pay.example/c.pem",
		"https://api.pay.\u0435xample/c.pem",
		"https://certs.a.b-1.pay.example/c.pem",
		"https://certs.-1.pay.example/c.pem",
		"https://certs..pay.example/c.pem",
		"https://[::1]/c.pem",
		"https://127.0.0.1/c.pem",
		"https:///c.pem",
		"https:api.pay.example/c.pem",
		"//api.pay.example/c.pem",
		"file:///etc/passwd",
		"javascript:alert(1)",
		"https://api.pay.example:443:443/c.pem",
		"https://" + strings.Repeat("a", 5000) + "/c.pem",
	} {
		calls[location] = paid(signed["valid"], location).but(refused(verify.UntrustedCertificate))
	}
	run(t, rsaVerify, verify.Trust{Fetcher: fetcher, Roots: roots(t)}, calls)
	if len(fetcher.asked) > 0 {
		t.Errorf("asked for %q", fetcher.asked)
	}
}

// TestOnlyPlausibleRequestsFetch: what can be refused without a certificate is.
func TestOnlyPlausibleRequestsFetch(t *testing.T) {
	fetcher := &outside{}
	run(t, rsaVerify, verify.Trust{Fetcher: fetcher}, map[string]call{
		"no signature":  paid("", certURL).but(refused(verify.MissingSignature)),
		"not base64":    paid("%%%%", certURL).but(refused(verify.MalformedSignature)),
		"old":           paid("AAAA", certURL).but(func(c *call) { c.after, c.cause = time.Hour, verify.TimestampOutsideTolerance }),
		"part missing":  paid("AAAA", certURL).but(func(c *call) { c.header = c.header[1:]; c.cause = verify.MissingPart }),
		"no secret set": paid("AAAA", certURL).but(func(c *call) { c.secrets, c.cause = nil, verify.MissingSignature }),
	})
	if len(fetcher.asked) > 0 {
		t.Errorf("asked for %q", fetcher.asked)
	}
}

func TestUnchainedCertificate(t *testing.T) {
	signed := texts(t, "signatures.json")
	fetcher := &outside{documents: map[string][]byte{
		certURL:                           testdata(t, "leaf.pem"),
		"https://api.pay.example/expired": testdata(t, "expired.pem"),
		"https://api.pay.example/other":   testdata(t, "other.pem"),
	}}
	run(t, rsaVerify+"    unchained: true\n", verify.Trust{Fetcher: fetcher, Roots: x509.NewCertPool()}, map[string]call{
		"leaf alone":      paid(signed["valid"], certURL),
		"expired":         paid(signed["valid"], "https://api.pay.example/expired").but(refused(verify.UntrustedCertificate)),
		"somebody else's": paid(signed["valid"], "https://api.pay.example/other").but(refused(verify.UntrustedCertificate)),
	})
}

func TestNothingCanBeFetched(t *testing.T) {
	signed := texts(t, "signatures.json")
	run(t, rsaVerify, verify.Trust{}, map[string]call{
		"certificate": paid(signed["valid"], certURL).but(refused(verify.KeysUnavailable)),
	})
	run(t, jwtVerify, verify.Trust{}, map[string]call{
		"key set": bearer(texts(t, "tokens.json")["valid"]).but(refused(verify.KeysUnavailable)),
	})
}

const keysURL = "https://keys.example/set"

const jwtVerify = `
verify:
  scheme: jwt
  signature: {header: Authorization, prefix: "Bearer "}
  unsigned_body: true
  jwt:
    keys: https://keys.example/set
    algorithms: [RS256]
    issuers: [https://accounts.example, accounts.example]
    claims: {email_verified: "true"}
    secret: [aud, email]
`

const audience = "https://hooks.example.com/p push@own.example"

func bearer(token string) call {
	return call{body: ownBody, header: []string{"Authorization: Bearer " + token}, secrets: []string{audience}}
}

func TestJSONWebTokens(t *testing.T) {
	token := texts(t, "tokens.json")
	fetcher := &outside{documents: map[string][]byte{keysURL: testdata(t, "keys.json")}}
	run(t, jwtVerify, verify.Trust{Fetcher: fetcher}, map[string]call{
		"valid":                   bearer(token["valid"]),
		"list of audiences":       bearer(token["audList"]),
		"second secret":           bearer(token["valid"]).but(func(c *call) { c.secrets, c.key = []string{"other push@own.example", audience}, 1 }),
		"expired within leeway":   bearer(token["justExpired"]),
		"expired":                 bearer(token["expired"]).but(refused(verify.TimestampOutsideTolerance)),
		"expired since":           bearer(token["valid"]).but(func(c *call) { c.after, c.cause = time.Hour+time.Minute+time.Second, verify.TimestampOutsideTolerance }),
		"never expires":           bearer(token["noExpiry"]).but(refused(verify.MissingTimestamp)),
		"not valid yet":           bearer(token["notYet"]).but(refused(verify.TimestampOutsideTolerance)),
		"issued in the future":    bearer(token["issuedLater"]).but(refused(verify.TimestampOutsideTolerance)),
		"other issuer":            bearer(token["otherIssuer"]).but(refused(verify.ClaimMismatch)),
		"no issuer":               bearer(token["noIssuer"]).but(refused(verify.ClaimMismatch)),
		"other audience":          bearer(token["otherAudience"]).but(refused(verify.ClaimMismatch)),
		"other account":           bearer(token["otherEmail"]).but(refused(verify.ClaimMismatch)),
		"account not verified":    bearer(token["unverifiedEmail"]).but(refused(verify.ClaimMismatch)),
		"alg none":                bearer(token["none"]).but(refused(verify.MalformedSignature)),
		"HMAC by public key":      bearer(token["hs256"]).but(refused(verify.MalformedSignature)),
		"algorithm not pinned":    bearer(token["ps256"]).but(refused(verify.MalformedSignature)),
		"names no key":            bearer(token["noKid"]).but(refused(verify.MalformedSignature)),
		"unknown critical header": bearer(token["crit"]).but(refused(verify.SignatureMismatch)),
		"unknown key":             bearer(token["unknownKid"]).but(refused(verify.SignatureMismatch)),
		"brings its own key":      bearer(token["embedded"]).but(refused(verify.SignatureMismatch)),
		"signed by another key":   bearer(token["wrongKey"]).but(refused(verify.SignatureMismatch)),
		"signature cut off":       bearer(token["valid"][:strings.LastIndex(token["valid"], ".")+1]).but(refused(verify.SignatureMismatch)),
		"no token":                bearer("x").but(refused(verify.MalformedSignature)),
		"other scheme":            bearer("").but(func(c *call) { c.header = []string{"Authorization: Basic eA=="}; c.cause = verify.MalformedSignature }),
		"nothing":                 bearer("").but(func(c *call) { c.header = nil; c.cause = verify.MissingSignature }),
	})
	for _, asked := range fetcher.asked {
		if asked != keysURL {
			t.Errorf("asked for %s", asked)
		}
	}
}

func TestUnknownKeyIsLookedForAgain(t *testing.T) {
	token := texts(t, "tokens.json")
	fetcher := &outside{
		documents: map[string][]byte{keysURL: testdata(t, "keys.json")},
		newer:     map[string][]byte{keysURL: testdata(t, "rotated.json")},
	}
	run(t, jwtVerify, verify.Trust{Fetcher: fetcher}, map[string]call{"new key": bearer(token["unknownKid"])})
	if len(fetcher.asked) != 2 {
		t.Errorf("asked %d times, want 2", len(fetcher.asked))
	}
}

func TestKeySetsThatCannotVerify(t *testing.T) {
	token := texts(t, "tokens.json")
	for name, c := range map[string]struct {
		set  string
		want verify.Cause
	}{
		"for encryption": {string(testdata(t, "encryption.json")), verify.SignatureMismatch},
		"empty":          {`{"keys":[]}`, verify.SignatureMismatch},
		"shared secret":  {`{"keys":[{"kty":"oct","kid":"one","k":"aHVudGVyMg"}]}`, verify.SignatureMismatch},
		"not JSON":       {"<html>", verify.KeysUnavailable},
	} {
		fetcher := &outside{documents: map[string][]byte{keysURL: []byte(c.set)}}
		run(t, jwtVerify, verify.Trust{Fetcher: fetcher}, map[string]call{name: bearer(token["valid"]).but(refused(c.want))})
	}
}
