// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
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

// Private halves of edKey and ecKey.
const (
	edPrivate = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIEuajyZaX8YzukTYiF0NVhlD9dtyO3kf5mfUe2ZiOjSv\n-----END PRIVATE KEY-----\n"
	ecPrivate = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgj+1heOT/QY76Thkw\n8g4oz7ypRcqatgRYzJ7Z4krJn+ShRANCAAQtoi7ROdxNF5Btyn1oPOQUqATbb0Zv\n+Uj4sVSdsG0slF+kt2eocg1WAhihNbVJXUyV7tjqXHwQCXmjKVShoVaW\n-----END PRIVATE KEY-----\n"
)

// TestSignRequest: what is signed verifies, and where the signature is fixed it is
// the one that Python computed.
func TestSignRequest(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	embedded, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	_, ed := own(t, ed25519Verify, verify.Trust{})
	ecDef, ec := own(t, ecdsaVerify, verify.Trust{})
	twilioDef, twilio := own(t, "verify: {scheme: twilio, encoding: base64, signature: {header: X-Signature}}\n", verify.Trust{})
	tokenDef, token := own(t, "verify: {scheme: token, signature: {query: token}, unsigned_body: true}\n", verify.Trust{})
	basicDef, basic := own(t, "verify: {scheme: basic, signature: {header: Authorization}, unsigned_body: true}\n", verify.Trust{})
	cases := map[string]struct {
		def       *provider.Definition
		verifier  *verify.Verifier
		body      string
		sign, key string
		// header must have this value, where it is fixed.
		header, want string
	}{
		"stripe":  {catalog["stripe"], embedded["stripe"], stripeBody, stripeOne, stripeOne, "Stripe-Signature", "t=1767225600,v1=" + stripeSigOne},
		"github":  {catalog["github"], embedded["github"], githubBody, githubKey, githubKey, "X-Hub-Signature-256", "sha256=" + githubSHA256},
		"shopify": {catalog["shopify"], embedded["shopify"], shopBody, shopApp, shopApp, "X-Shopify-Hmac-Sha256", shopAppSig},
		"svix":    {catalog["svix"], embedded["svix"], standardBody, standardOne, standardOne, "svix-timestamp", "1767225600"},
		"ed25519": {ecDef, ed["own"], ownBody, edPrivate, edKey, "X-Signature", edSignature},
		"ecdsa":   {ecDef, ec["own"], ownBody, ecPrivate, ecKey, "X-Time", "1767225600"},
		"twilio":  {twilioDef, twilio["own"], "b=2&a=1", "auth", "auth", "", ""},
		"token":   {tokenDef, token["own"], "{}", "hunter2", "hunter2", "", ""},
		"basic":   {basicDef, basic["own"], "{}", "bob:pw", "bob:pw", "Authorization", "Basic Ym9iOnB3"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, ownURL, nil)
			if _, err := c.verifier.SignRequest(r, []byte(c.body), secret.Secret(c.sign), signedAt); err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get(c.header); c.header != "" && got != c.want {
				t.Errorf("%s is %q, want %q", c.header, got, c.want)
			}
			keys := keysOf(t, verify.Verifiers{c.def.Provider: c.verifier}, c.def.Provider, c.key)
			req := request.New(r, []byte(c.body), request.NewFields(c.def), "")
			got, err := c.verifier.Verify(t.Context(), req, keys, signedAt.Add(time.Minute))
			check(t, got, err, 0, "")
		})
	}
}

func TestSignRequestRefuses(t *testing.T) {
	cases := map[string]struct{ verification, secret, want string }{
		"the provider's alone": {jwtVerify, audience, "only the provider can sign"},
		"signature in body":    {"verify: {scheme: token, signature: {body: token}, unsigned_body: true}\n", "x", "part of the body"},
		"public key":           {ed25519Verify, edKey, "not a private key in PEM"},
		"other kind of key":    {ed25519Verify, ecPrivate, "not one for ed25519"},
		"secret not in hex":    {strings.Replace(mixed, "encoding: raw", "encoding: hex", 1), "hunter2", "the secret is not hex"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, verifiers := own(t, c.verification, verify.Trust{})
			r := httptest.NewRequest(http.MethodPost, ownURL, nil)
			_, err := verifiers["own"].SignRequest(r, []byte(ownBody), secret.Secret(c.secret), signedAt)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), c.secret) && len(c.secret) > 1 {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestSignFilter(t *testing.T) {
	_, verifiers := own(t, mixed, verify.Trust{})
	v := verifiers["own"]
	// hmac.new(b"own-zoom", b"plain-token", "sha256")
	const want = "a80a97ea0290b4262496d3d3085f6c481b5e9b0e358d315bcb90a7d024de7cf4"
	got, ok := v.Sign("plain-token", keysOf(t, verifiers, "own", "whpk_"+edKey, "own-zoom", "newer"))
	if !ok || got != want {
		t.Errorf("got %s, %t, want %s", got, ok, want)
	}
	if got, ok := v.Sign("plain-token", keysOf(t, verifiers, "own", "whpk_"+edKey)); ok {
		t.Errorf("signed with a public key: %s", got)
	}
	_, verifiers = own(t, ed25519Verify, verify.Trust{})
	if got, ok := verifiers["own"].Sign("plain-token", keysOf(t, verifiers, "own", edKey)); ok {
		t.Errorf("signed without an hmac scheme: %s", got)
	}
}

func TestCost(t *testing.T) {
	for text, want := range map[string]int{ed25519Verify: 19, ecdsaVerify: 24, rsaVerify: 13, jwtVerify: 15, mixed: 19} {
		_, verifiers := own(t, text, verify.Trust{})
		if got := verifiers["own"].Cost(); got != want {
			t.Errorf("cost is %d, want %d", got, want)
		}
	}
}
