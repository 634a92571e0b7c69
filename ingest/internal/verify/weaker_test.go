// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"strings"
	"testing"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

func TestWeakerSchemesAreAllowedByPair(t *testing.T) {
	w, err := verify.ParseWeaker(map[string]string{"hubspot": "v2, v1", "acme/hubspot": "v1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tenant, provider, scheme string
		want                     bool
	}{
		{"default", "hubspot", "v2", true},
		{"default", "hubspot", "v1", true},
		{"acme", "hubspot", "v1", true},
		{"acme", "hubspot", "v2", false}, // its own list counts
		{"default", "gitlab", "secret-token", false},
	} {
		if got := w.Allows(secret.Pair{Tenant: c.tenant, Provider: c.provider}, c.scheme); got != c.want {
			t.Errorf("%+v: got %t", c, got)
		}
	}
}

func TestWeakerSchemesThatThereAreNot(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, list, want string }{
		{"hubspot", "v1", ""},
		{"acme/aws-sns", "v1", ""},
		{"hubspot", "v3", "hubspot=v3: hubspot has no weaker scheme of that name, only [v2, v1]"},
		{"a/github", "sha1", "a/github=sha1: github has no weaker scheme of that name, only []"},
		{"adyen", "item", "adyen has no weaker scheme of that name"}, // accepted anyway
		{"unheard", "v1", `no definition of a provider "unheard"`},
		{"Hub Spot", "v1", `"Hub Spot" is neither provider nor tenant/provider`},
		{"a/", "v1", `"a/" is neither provider nor tenant/provider`},
	} {
		w, err := verify.ParseWeaker(map[string]string{c.name: c.list})
		if err == nil {
			err = w.Check(verifiers)
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: got %v, want %q", c.name, c.list, err, c.want)
		}
	}
}

// TestNoDefinitionTakesAWeakerSchemeByDefault reads it from all built-in
// definitions, so that a new one cannot be overlooked.
func TestNoDefinitionTakesAWeakerSchemeByDefault(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	var accepted []string
	for _, name := range catalog.Names() {
		for _, v := range catalog[name].Verify {
			if v.Weaker != nil && v.Weaker.Accepted != "" {
				accepted = append(accepted, name+"/"+v.Name)
			}
		}
	}
	if got := strings.Join(accepted, " "); got != "adyen/item" {
		t.Errorf("weaker schemes are taken without being allowed: %s", got)
	}
}
