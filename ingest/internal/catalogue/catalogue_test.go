// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/schemas/provider"
)

const document = "../../../docs/providers.md"

// TestProvidersAreDocumented holds docs/providers.md to the definitions that it
// is generated from.
func TestProvidersAreDocumented(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	want := Markdown(All(catalog))
	golden.Check(t, document, []byte(want))
}

const everything = `# Acme's webhooks.
# - Times lie.
provider: acme
title: Acme & Sons (v2)
docs: https://acme.example
revision: 2
verify:
  - name: v2
    scheme: hmac
    algorithm: sha512
    encoding: base64
    signature: {header: X-Sig, prefix: "v2="}
    timestamp: {query: at, unit: ms, tolerance: 10m}
    signed: ["{timestamp}\n{url}{body}", {optional: "{header.X-More}"}]
    secret: {encoding: base64, prefix: ac_}
  - name: v1
    scheme: hash
    weaker: {why: no time is signed}
    algorithm: sha256
    encoding: hex
    when: {header.X-Old: "*"}
    signature: {header: X-Old}
    signed: "{secret}{body}"
    secret: {encoding: raw}
handshakes:
  - name: subscribe
    method: GET
    when: {query.mode: subscribe}
    token: "{query.token}"
    answer: {content_type: text/plain, body: "{query.challenge}"}
answer: {status: 204}
body: {formats: [json, empty], batch: ["items.*"]}
identity:
  tenant: [{from: "{body.shop}"}]
  id: [{from: "{body.items.0.id}"}, {from: "{body.at}/{body.shop}", natural: true, when: ["a.*"]}]
  type: [{from: "{body.type}"}]
  key: [{from: "{body.items.0.id}"}]
  time: [{from: "{body.at}", unit: ms}]
`

func TestDescribe(t *testing.T) {
	def, err := provider.Parse("acme.yaml", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	text := Markdown([]*Entry{Describe(def)})
	for _, want := range []string{
		"| [Acme & Sons (v2)](#acme--sons-v2) | `acme` | hmac, hash | subscribe | json or empty, one event for each of `items.*` | path, body |  | no |",
		"- **Verified by (v2):** HMAC-SHA512 of `{timestamp}\\n{url}{body}[{header.X-More}]` in base64, in header `X-Sig` after `v2=`; the time in query parameter `at` (milliseconds since 1970) must lie within 10m of now",
		"- **Verified by (v1):** Where `header.X-Old` is there: SHA-256 of `{secret}{body}` in hex, in header `X-Old`",
		"- **Weaker (v1):** no time is signed; taken only where no secret fits a stronger scheme, or where `HOOKSTREAM_WEAKER_SCHEMES` names `v1`",
		"`$HOOKSTREAM_SECRETS_DIR/TENANT/acme`: the signing secret, in base64, with or without its `ac_` (v2)",
		"`$HOOKSTREAM_SECRETS_DIR/TENANT/acme`: the signing secret, as text (v1)",
		"`$HOOKSTREAM_SECRETS_DIR/TENANT/acme.verify-token`: ",
		"`HOOKSTREAM_PUBLIC_URL`: ",
		"- **Handshake subscribe:** GET in which `query.mode` is `subscribe`, with the verify token in `{query.token}`: answered 200 with `{query.challenge}`",
		"  - `{body.at}/{body.shop}`, composed: the provider has no id of its own, for `a.*`",
		"- **Tenant:** `{body.shop}`",
		"- **Answer:** 204 without a body",
		"- **Events:** all are kept as generic",
		"- **Not confirmed:** its facts come from secondary sources",
		"Acme's webhooks. [Documentation](https://acme.example).",
		"- Times lie.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in:\n%s", want, text)
		}
	}
}

func TestSchemesInWords(t *testing.T) {
	at := provider.Location{Header: "X"}
	body := provider.Segments{{Template: template(t, "{body}")}}
	for _, c := range []struct {
		verify       provider.Verify
		text, secret string
	}{
		{provider.Verify{Scheme: provider.Ed25519, Encoding: "hex", Signature: at, Signed: body}, "Ed25519 signature of `{body}` in hex, in header `X`", "the provider's public key, as text"},
		{provider.Verify{Scheme: provider.ECDSA, Encoding: "base64", Signature: at, Signed: body}, "ECDSA signature (P-256, SHA-256) of `{body}` in base64, in header `X`", "the provider's public key, as text"},
		{
			provider.Verify{
				Scheme: provider.RSA, Algorithm: "sha1", Encoding: "base64", Signature: at, Signed: body,
				Certificate: &provider.Certificate{URL: template(t, "{body.url}"), Hosts: []string{"sns.*.example"}, Subjects: []string{"sns.example"}},
			},
			"RSA signature (PKCS #1 v1.5, SHA-1) of `{body}` in base64, in header `X`, by the certificate at `{body.url}`, which must be on `sns.*.example` and belong to `sns.example`",
			"what `{secret}` stands for",
		},
		{
			provider.Verify{
				Scheme: provider.JSONWebToken, Signature: at, UnsignedBody: true,
				JWT: &provider.JWT{Keys: "https://keys.example", Algorithms: []string{"RS256"}, Issuers: []string{"me"}, Secret: []string{"aud", "email"}},
			},
			"JSON Web Token (RS256) in header `X`, under a key of https://keys.example, issued by `me`; the body is not covered",
			"what the token's claims `aud`, `email` must be, separated by spaces",
		},
		{provider.Verify{Scheme: provider.Twilio, Encoding: "base64", Signature: at}, "HMAC-SHA1 in base64, in header `X`, of the URL", "the signing secret, as text"},
		{provider.Verify{Scheme: provider.Token, Signature: provider.Location{Body: "a.b"}}, "a fixed token in body field `a.b`", "the token that requests carry"},
		{provider.Verify{Scheme: provider.Basic, Signature: at, PerItem: true}, "user and password (RFC 7617) in header `X`; every item of a batch by itself", "`user:password`"},
		{provider.Verify{Scheme: provider.MTLS}, "the name in the verified client certificate", "the common, DNS or URI name"},
	} {
		if got := scheme(&c.verify); !strings.HasPrefix(got, c.text) {
			t.Errorf("%s: got %s, want %s", c.verify.Scheme, got, c.text)
		}
		if got := secretText(&c.verify); !strings.HasPrefix(got, c.secret) {
			t.Errorf("%s: the secret is %s, want %s", c.verify.Scheme, got, c.secret)
		}
	}
}

func template(t *testing.T, text string) provider.Template {
	t.Helper()
	parsed, err := provider.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", 10 * time.Minute: "10m", time.Hour: "1h", 90 * time.Second: "1m30s", 20 * time.Hour: "20h", 30 * time.Second: "30s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%d is %s, want %s", d, got, want)
		}
	}
}
