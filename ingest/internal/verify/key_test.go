// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

func TestKeyringRefusesWhatCannotVerify(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	_, own := parse(t, "acme", acme)
	verifiers["acme"] = own["acme"]
	cases := map[string]struct{ provider, secret, want string }{
		"unknown provider":    {"strype", "hunter2", `somewhere:3: no definition of a provider "strype"`},
		"not base64":          {"svix", "whsec_hunter2!", "somewhere:3: for v1: the secret is not base64, after whsec_ or without it"},
		"base64 cut short":    {"standard-webhooks", "whsec_aHVudGVyMg", "somewhere:3: for v1: the secret is not base64"},
		"nothing after it":    {"svix", "whsec_", "somewhere:3: for v1: the secret is empty"},
		"not hex":             {"acme", "hex:hunter2", "somewhere:3: the secret is not hex"},
		"hex of half a byte":  {"acme", "hex:abc", "somewhere:3: the secret is not hex"},
		"nothing after hex: ": {"acme", "hex:", "somewhere:3: the secret is empty"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := verify.NewKeyring([]secret.Entry{{
				Pair: secret.Pair{Tenant: "default", Provider: c.provider}, Secret: secret.Secret(c.secret), Origin: "somewhere:3",
			}}, verifiers, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestKeyringKeepsTenantsApart(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	entry := func(tenant, text string) secret.Entry {
		return secret.Entry{Pair: secret.Pair{Tenant: tenant, Provider: "stripe"}, Secret: secret.Secret(text), Origin: "test"}
	}
	ring, err := verify.NewKeyring([]secret.Entry{entry("a", "one"), entry("a", "two"), entry("b", "three")}, verifiers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, b, none := len(ring.Keys("a", "stripe")), len(ring.Keys("b", "stripe")), len(ring.Keys("a", "github")); a != 2 || b != 1 || none != 0 {
		t.Errorf("got %d, %d and %d keys, want 2, 1 and 0", a, b, none)
	}
	if text := fmt.Sprintf("%v %+v %#v %x %s", ring.Keys("b", "stripe"), ring.Keys("b", "stripe"), ring.Keys("b", "stripe"), ring.Keys("b", "stripe"), ring.Keys("b", "stripe")); strings.Contains(text, "three") || strings.Contains(text, fmt.Sprintf("%x", "three")) || strings.Contains(text, "116") {
		t.Errorf("a key prints as %s", text)
	}
}

func TestPublicKeysOfTheWrongKind(t *testing.T) {
	cases := map[string]struct{ verification, secret, want string }{
		"Ed25519 too short":   {ed25519Verify, edKey[2:], "not an Ed25519 public key of 32 bytes"},
		"ECDSA on P-384":      {ecdsaVerify, p384Key, "not an ECDSA public key on P-256"},
		"ECDSA, no DER":       {ecdsaVerify, "aHVudGVyMg==", "not an ECDSA public key on P-256"},
		"token without email": {jwtVerify, "https://hooks.example.com/p", "not the values of aud and email"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, verifiers := own(t, c.verification, verify.Trust{})
			_, err := verify.NewKeyring([]secret.Entry{{
				Pair: secret.Pair{Tenant: "default", Provider: "own"}, Secret: secret.Secret(c.secret), Origin: "somewhere:3",
			}}, verifiers, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), c.secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

// TestKeyIDs: the id that goes on records was computed with Python's hmac; equal
// secrets have equal ids, and it is not the secret's hash.
func TestKeyIDs(t *testing.T) {
	def, verifiers := own(t, "verify: {scheme: token, signature: {header: X-Own-Token}, unsigned_body: true}\n", verify.Trust{})
	c := call{header: []string{"X-Own-Token: hunter2"}, body: ownBody}
	got, err := verifiers["own"].Verify(t.Context(), c.request(def), keysOf(t, verifiers, "own", "hunter2"), signedAt)
	if err != nil || got.KeyID != "08bd903d" {
		t.Errorf("the id is %q, error %v", got.KeyID, err)
	}
}
