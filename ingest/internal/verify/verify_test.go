// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// signedAt is the time in every vector. The signatures were computed with
// Python's hmac, not with the code under test.
var signedAt = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	stripeOne, stripeTwo = "whsec_own-vector-one", "whsec_own-vector-two"
	stripeBody           = `{"id":"evt_1","type":"customer.created","created":1767225600,"data":{"object":{"id":"cus_9007199254740993"}}}`
	stripeSigOne         = "6929d39b6d050c782f3052b4383a7fde2ae61cc365a9fe053af6e862fb6e273c"
	stripeSigTwo         = "2a4ef6693b03a1e9dc07df75d37a2e060c70845b188d40d92875315daf1cf513"

	githubKey    = "own-vector-github"
	githubBody   = `{"action":"opened","issue":{"number":7,"updated_at":"2026-01-01T00:00:00Z"},"repository":{"id":42}}`
	githubSHA256 = "4e087b06d4dc42d6a2762d9296080bafda560d99fcaafc5df405d4f4ca9c9c8c"
	githubSHA1   = "ebd8d5e80dba15ba33d6ce4cfb63838dd61b0406"

	shopApp, shopAdmin       = "own-vector-shop-app", "own-vector-shop-admin"
	shopBody                 = `{"id":820982911946154508,"updated_at":"2026-01-01T00:00:00Z"}`
	shopAppSig, shopAdminSig = "OSimx4oyq5SkHZADgYUV+lEbZZ9vpchCk0qw9QZRAbQ=", "MRQ+K2mYXIccNHySPBGec4fSDM4dPO9jVfhTTDhlcRs="

	standardOne, standardTwo       = "whsec_b3duIHZlY3RvciBrZXkgb25lLCAyNCsgYnl0ZXM=", "whsec_b3duIHZlY3RvciBrZXkgdHdvLCAyNCsgYnl0ZXM="
	standardBody                   = `{"type":"invoice.paid","timestamp":"2026-01-01T00:00:00Z","data":{"id":"inv_1"}}`
	standardSigOne, standardSigTwo = "d9sWjkT137GteW82chwV+dBQkx898Kfj1aSJZElR2QQ=", "0RlikGlmX0A/AfO8Th0x2O1JnQWWMy1SVpv/IxV4cFA="
	// standardSigOfText is signed with the secret's text, not what it decodes to.
	standardSigOfText = "m+VLr3mPcypbsyL3XxxNMvDWQEkd1OyMJ8w0V/Cvf8w="
)

// vector is one request and the expected verdict.
type vector struct {
	provider string
	secrets  []string
	header   map[string]string
	body     string
	// after signedAt is when the request arrives.
	after time.Duration
	// cause is empty where the request is valid, and key then the secret that
	// must have matched.
	cause verify.Cause
	key   int
}

func stripe(header string) vector {
	return vector{provider: "stripe", secrets: []string{stripeOne}, header: map[string]string{"Stripe-Signature": header}, body: stripeBody}
}

func github(header, value string) vector {
	return vector{provider: "github", secrets: []string{githubKey}, header: map[string]string{header: value}, body: githubBody}
}

func shopify(value string) vector {
	return vector{provider: "shopify", secrets: []string{shopApp}, header: map[string]string{"X-Shopify-Hmac-Sha256": value}, body: shopBody}
}

// standard is for Standard Webhooks and Svix, which differ in their headers'
// names only.
func standard(name, signature string) vector {
	prefix := map[string]string{"standard-webhooks": "webhook", "svix": "svix"}[name]
	return vector{provider: name, secrets: []string{standardOne}, body: standardBody, header: map[string]string{
		prefix + "-id": "msg_1", prefix + "-timestamp": "1767225600", prefix + "-signature": signature,
	}}
}

func (v vector) with(change func(*vector)) vector {
	change(&v)
	return v
}

func vectors() map[string]vector {
	valid := "t=1767225600,v1=" + stripeSigOne
	set := map[string]vector{
		"stripe: valid":                        stripe(valid),
		"stripe: order of items is free":       stripe("v1=" + stripeSigOne + ",t=1767225600"),
		"stripe: spaces after commas":          stripe("t=1767225600, v1=" + stripeSigOne),
		"stripe: upper-case hex":               stripe("t=1767225600,v1=" + strings.ToUpper(stripeSigOne)),
		"stripe: one signature is unknown":     stripe("t=1767225600,v1=" + stripeSigTwo + ",v1=" + stripeSigOne),
		"stripe: a malformed one beside it":    stripe("t=1767225600,v1=zz,v1=" + stripeSigOne),
		"stripe: test scheme beside it":        stripe("t=1767225600,v0=" + stripeSigTwo + ",v1=" + stripeSigOne),
		"stripe: rotated, new secret second":   stripe("t=1767225600,v1=" + stripeSigTwo).with(func(v *vector) { v.secrets, v.key = []string{stripeOne, stripeTwo}, 1 }),
		"stripe: rotated, both signed":         stripe("t=1767225600,v1=" + stripeSigTwo + ",v1=" + stripeSigOne).with(func(v *vector) { v.secrets = []string{stripeOne, stripeTwo} }),
		"stripe: test scheme only":             stripe("t=1767225600,v0=" + stripeSigOne).with(fails(verify.MalformedSignature)),
		"stripe: no header":                    stripe("").with(fails(verify.MissingSignature)),
		"stripe: no signature":                 stripe("t=1767225600").with(fails(verify.MalformedSignature)),
		"stripe: no timestamp":                 stripe("v1=" + stripeSigOne).with(fails(verify.MissingTimestamp)),
		"stripe: timestamp is text":            stripe("t=now,v1=" + stripeSigOne).with(fails(verify.MalformedTimestamp)),
		"stripe: timestamp in milliseconds":    stripe("t=1767225600000,v1=" + stripeSigOne).with(fails(verify.TimestampOutsideTolerance)),
		"stripe: timestamp beyond all times":   stripe("t=9223372036854775807,v1=" + stripeSigOne).with(fails(verify.TimestampOutsideTolerance)),
		"stripe: timestamp before all times":   stripe("t=-9223372036854775808,v1=" + stripeSigOne).with(fails(verify.TimestampOutsideTolerance)),
		"stripe: timestamp replaced":           stripe("t=1767225601,v1=" + stripeSigOne).with(fails(verify.SignatureMismatch)),
		"stripe: short hex":                    stripe("t=1767225600,v1=" + stripeSigOne[:62]).with(fails(verify.MalformedSignature)),
		"stripe: not hex":                      stripe("t=1767225600,v1=" + strings.Repeat("g", 64)).with(fails(verify.MalformedSignature)),
		"stripe: body changed":                 stripe(valid).with(func(v *vector) { v.body += " "; v.cause = verify.SignatureMismatch }),
		"stripe: other secret":                 stripe(valid).with(func(v *vector) { v.secrets = []string{stripeTwo}; v.cause = verify.SignatureMismatch }),
		"stripe: at the tolerance":             stripe(valid).with(func(v *vector) { v.after = 5 * time.Minute }),
		"stripe: older than the tolerance":     stripe(valid).with(func(v *vector) { v.after = 5*time.Minute + 1; v.cause = verify.TimestampOutsideTolerance }),
		"stripe: at the tolerance ahead":       stripe(valid).with(func(v *vector) { v.after = -5 * time.Minute }),
		"stripe: further ahead":                stripe(valid).with(func(v *vector) { v.after = -5*time.Minute - 1; v.cause = verify.TimestampOutsideTolerance }),
		"github: valid":                        github("X-Hub-Signature-256", "sha256="+githubSHA256),
		"github: SHA-1 header alone":           github("X-Hub-Signature", "sha1="+githubSHA1).with(fails(verify.MissingSignature)),
		"github: SHA-1 in the SHA-256 header":  github("X-Hub-Signature-256", "sha1="+githubSHA1).with(fails(verify.MalformedSignature)),
		"github: SHA-1 called SHA-256":         github("X-Hub-Signature-256", "sha256="+githubSHA1).with(fails(verify.MalformedSignature)),
		"github: no prefix":                    github("X-Hub-Signature-256", githubSHA256).with(fails(verify.MalformedSignature)),
		"github: two in one header":            github("X-Hub-Signature-256", "sha256="+githubSHA256+",sha256="+githubSHA256).with(fails(verify.MalformedSignature)),
		"github: old time is no matter":        github("X-Hub-Signature-256", "sha256="+githubSHA256).with(func(v *vector) { v.after = 1000 * time.Hour }),
		"shopify: valid":                       shopify(shopAppSig),
		"shopify: made in the admin":           shopify(shopAdminSig).with(func(v *vector) { v.secrets, v.key = []string{shopApp, shopAdmin}, 1 }),
		"shopify: only the app's secret":       shopify(shopAdminSig).with(fails(verify.SignatureMismatch)),
		"shopify: hex":                         shopify(githubSHA256).with(fails(verify.MalformedSignature)),
		"shopify: no padding":                  shopify(strings.TrimSuffix(shopAppSig, "=")).with(fails(verify.MalformedSignature)),
		"shopify: other spelling of the bytes": shopify(strings.Replace(shopAppSig, "bQ=", "bR=", 1)).with(fails(verify.MalformedSignature)),
	}
	for _, name := range []string{"standard-webhooks", "svix"} {
		prefix := map[string]string{"standard-webhooks": "webhook", "svix": "svix"}[name]
		set[name+": valid"] = standard(name, "v1,"+standardSigOne)
		set[name+": rotated"] = standard(name, "v1,"+standardSigTwo+" v1,"+standardSigOne)
		set[name+": old secret second"] = standard(name, "v1,"+standardSigTwo).with(func(v *vector) { v.secrets, v.key = []string{standardOne, standardTwo}, 1 })
		set[name+": secret without prefix"] = standard(name, "v1,"+standardSigOne).with(func(v *vector) { v.secrets = []string{strings.TrimPrefix(standardOne, "whsec_")} })
		set[name+": Ed25519 beside it"] = standard(name, "v1a,"+standardSigTwo+" v1,"+standardSigOne)
		set[name+": Ed25519 alone"] = standard(name, "v1a,"+standardSigOne).with(fails(verify.MalformedSignature))
		set[name+": unknown version"] = standard(name, "v2,"+standardSigOne).with(fails(verify.MalformedSignature))
		set[name+": signed with the text"] = standard(name, "v1,"+standardSigOfText).with(fails(verify.SignatureMismatch))
		set[name+": no id"] = standard(name, "v1,"+standardSigOne).with(func(v *vector) { delete(v.header, prefix+"-id"); v.cause = verify.MissingPart })
		set[name+": other id"] = standard(name, "v1,"+standardSigOne).with(func(v *vector) { v.header[prefix+"-id"] = "msg_2"; v.cause = verify.SignatureMismatch })
		set[name+": replayed"] = standard(name, "v1,"+standardSigOne).with(func(v *vector) { v.after = time.Hour; v.cause = verify.TimestampOutsideTolerance })
	}
	return set
}

func fails(cause verify.Cause) func(*vector) { return func(v *vector) { v.cause = cause } }

func TestEmbeddedProviders(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range vectors() {
		t.Run(name, func(t *testing.T) {
			keys := keysOf(t, verifiers, v.provider, v.secrets...)
			r := httptest.NewRequest(http.MethodPost, "/webhooks/"+v.provider, nil)
			for k, value := range v.header {
				r.Header.Set(k, value)
			}
			req := request.New(r, []byte(v.body), request.NewFields(catalog[v.provider]), "")
			got, err := verifiers[v.provider].Verify(t.Context(), req, keys, signedAt.Add(v.after))
			check(t, got, err, v.key, v.cause)
		})
	}
}

func keysOf(t testing.TB, verifiers verify.Verifiers, name string, secrets ...string) []verify.Key {
	t.Helper()
	pair := secret.Pair{Tenant: "default", Provider: name}
	var entries []secret.Entry
	for _, s := range secrets {
		entries = append(entries, secret.Entry{Pair: pair, Secret: secret.Secret(s), Origin: "test"})
	}
	ring, err := verify.NewKeyring(entries, verifiers, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ring.Keys("default", name)
}

func check(t *testing.T, got verify.Result, err error, wantKey int, want verify.Cause) {
	t.Helper()
	var refused *verify.Error
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want == "" && got.Key != wantKey:
		t.Errorf("secret %d matched, want %d", got.Key, wantKey)
	case want != "" && !errors.As(err, &refused):
		t.Errorf("got %v, want %s", err, want)
	case want != "" && refused.Cause != want:
		t.Errorf("got %s, want %s", refused.Cause, want)
	}
}

// acme signs every part of a request that a template can name, in the widest
// spelling of the format: SHA-512, milliseconds, a secret in hex.
const acme = `provider: acme
title: Acme
docs: https://acme.example/webhooks
revision: 1
verify:
  scheme: hmac
  algorithm: sha512
  encoding: hex
  signature: {header: X-Acme-Signature}
  timestamp: {header: X-Acme-Time, unit: ms, tolerance: 10s}
  signed: "{method}|{url}|{path}|{query.shop}|{header.X-Acme-Version}|{body.order.id}|{timestamp}|{body}"
  secret: {prefix: "hex:", encoding: hex}
identity:
  id: [{from: "{body.order.id}"}]
  type: [{from: "{header.X-Acme-Version}"}]
  key: [{from: "{body.order.id}"}]
`

// legacy signs with SHA-1 and an RFC 3339 time.
const legacy = `provider: legacy
title: Legacy
docs: https://legacy.example/webhooks
revision: 1
verify:
  scheme: hmac
  algorithm: sha1
  encoding: base64
  signature: {header: X-Legacy, separator: ";", prefix: "sig:"}
  timestamp: {header: X-Legacy, separator: ";", prefix: "at:", unit: rfc3339, tolerance: 1m}
  signed: "{timestamp}{body}"
  secret: {encoding: raw}
identity:
  id: [{from: "{body.order.id}"}]
  type: [{from: "{body.order.id}"}]
  key: [{from: "{body.order.id}"}]
`

func parse(t testing.TB, name, text string) (*provider.Definition, verify.Verifiers) {
	t.Helper()
	def, err := provider.Parse(name+".yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(provider.Catalog{name: def}, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	return def, verifiers
}

func TestTemplateOverTheWholeRequest(t *testing.T) {
	const (
		body      = `{"order":{"id":"ord_1"}}`
		signature = "9b9059ce35196b128e324f335c29a0f42797642dbdf142cf2cc7d1598491ccd26b958658e3a28141accc91cfeecf22b48a34d0e11a9faa7b1c2b21c82cb13183"
	)
	def, verifiers := parse(t, "acme", acme)
	fields := request.NewFields(def)
	keys := keysOf(t, verifiers, "acme", "hex:"+strings.Repeat("00ff10aa55", 4))
	cases := map[string]struct {
		method, target, origin, version, body string
		want                                  verify.Cause
	}{
		"valid":                  {"POST", "http://hooks.example.com/webhooks/acme?shop=7", "https://hooks.example.com", "v2", body, ""},
		"inner host, public URL": {"POST", "http://10.0.0.7:8080/webhooks/acme?shop=7", "https://hooks.example.com", "v2", body, ""},
		"not the public URL":     {"POST", "http://hooks.example.com/webhooks/acme?shop=7", "", "v2", body, verify.SignatureMismatch},
		"other method":           {"PUT", "http://hooks.example.com/webhooks/acme?shop=7", "https://hooks.example.com", "v2", body, verify.SignatureMismatch},
		"other query":            {"POST", "http://hooks.example.com/webhooks/acme?shop=8", "https://hooks.example.com", "v2", body, verify.SignatureMismatch},
		"no query":               {"POST", "http://hooks.example.com/webhooks/acme", "https://hooks.example.com", "v2", body, verify.MissingPart},
		"no header":              {"POST", "http://hooks.example.com/webhooks/acme?shop=7", "https://hooks.example.com", "", body, verify.MissingPart},
		"no field":               {"POST", "http://hooks.example.com/webhooks/acme?shop=7", "https://hooks.example.com", "v2", `{}`, verify.MissingPart},
		"no JSON":                {"POST", "http://hooks.example.com/webhooks/acme?shop=7", "https://hooks.example.com", "v2", `{`, verify.MissingPart},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, nil)
			r.Header.Set("X-Acme-Signature", signature)
			r.Header.Set("X-Acme-Time", "1767225600000")
			if c.version != "" {
				r.Header.Set("X-Acme-Version", c.version)
			}
			got, err := verifiers["acme"].Verify(t.Context(), request.New(r, []byte(c.body), fields, c.origin), keys, signedAt)
			check(t, got, err, 0, c.want)
		})
	}
}

func TestSHA1AndRFC3339(t *testing.T) {
	def, verifiers := parse(t, "legacy", legacy)
	r := httptest.NewRequest(http.MethodPost, "/webhooks/legacy", nil)
	r.Header.Set("X-Legacy", "at:2026-01-01T00:00:00Z;sig:2V3Ku77H40JqzIEN8NvrqIWFpVQ=")
	req := request.New(r, []byte(`{"order":{"id":"ord_1"}}`), request.NewFields(def), "")
	got, err := verifiers["legacy"].Verify(t.Context(), req, keysOf(t, verifiers, "legacy", "legacy"), signedAt.Add(time.Minute))
	check(t, got, err, 0, "")
}
