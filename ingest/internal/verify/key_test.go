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
			}}, verifiers)
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
	ring, err := verify.NewKeyring([]secret.Entry{entry("a", "one"), entry("a", "two"), entry("b", "three")}, verifiers)
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
