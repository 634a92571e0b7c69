// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"
	"testing"

	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/reason"
)

// TestTenantFromSignedContent: one app's secret covers all its customers, so the
// signed body says whose event it is, where the path does not.
func TestTenantFromSignedContent(t *testing.T) {
	def := define(t, "acme", acmeIdentity+"  tenant: [{from: '{body.shop}'}]\n"+providertest.Verify)
	w := newWorldOf(t, def, "default/acme="+acmeKey+";acme/acme="+acmeKey)
	cases := map[string]struct {
		path, body, tenant string
		defect             reason.Code
	}{
		"named":                {"/webhooks/acme", `{"id":"1","shop":"Shop-7"}`, "shop-7", ""},
		"not named":            {"/webhooks/acme", `{"id":"1"}`, "default", ""},
		"named, and the path":  {"/webhooks/acme/acme", `{"id":"1","shop":"shop-7"}`, "acme", ""},
		"no name":              {"/webhooks/acme", `{"id":"1","shop":"../etc"}`, "default", reason.InvalidTenant},
		"no name, and no id":   {"/webhooks/acme", `{"shop":"../etc"}`, "default", reason.MissingIdentity},
		"no name, in the path": {"/webhooks/acme/acme", `{"id":"1","shop":"../etc"}`, "acme", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := acmeRequest(c.body)
			r.URL.Path = c.path
			w.do(r).expect(t, http.StatusAccepted, "")
			if got := w.kept.last(t); got.Tenant != c.tenant || got.Defect != c.defect {
				t.Errorf("stored under %q with defect %q, want %q and %q", got.Tenant, got.Defect, c.tenant, c.defect)
			}
		})
	}
}
