// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// compiled is a provider's definition, ready for requests.
type compiled struct {
	def    *provider.Definition
	scheme *verify.Scheme
	fields *request.Fields
	// keep are the request headers that go on the record.
	keep []keptHeader
	// challenge is the WWW-Authenticate header of a refusal.
	challenge string
}

// keptHeader is a header's name in the definition and on the record.
type keptHeader struct{ name, lower string }

func compile(def *provider.Definition, scheme *verify.Scheme) *compiled {
	c := &compiled{
		def:    def,
		scheme: scheme,
		fields: request.NewFields(def),
		// RFC 9110, section 15.5.2, wants a challenge with every 401. No
		// registered scheme describes webhooks, so it says which header
		// is asked for.
		challenge: `Webhook-Signature realm="` + def.Provider + `", header="` + scheme.SignatureHeader() + `"`,
	}
	seen := map[string]bool{}
	for _, name := range def.RequestHeaders() {
		if lower := strings.ToLower(name); !seen[lower] {
			seen[lower] = true
			c.keep = append(c.keep, keptHeader{name, lower})
		}
	}
	return c
}
