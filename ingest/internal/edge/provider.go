// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
)

// compiled is a provider's definition, ready for requests.
type compiled struct {
	def      *provider.Definition
	verifier *verify.Verifier
	fields   *request.Fields
	// methods are those of webhooks and of handshakes, allow the same for
	// refusals.
	methods []string
	allow   string
	// captures says that a handshake sends a secret.
	captures bool
	// keep are the request headers that go on the record.
	keep []keptHeader
	// needs is what a record of each scheme needs besides, to be verified
	// again.
	needs map[*provider.Verify]needs
	// challenge is the WWW-Authenticate header of a refusal.
	challenge string
}

// needs says which parts of a request, besides its body and headers, a record
// keeps.
type needs struct{ method, url bool }

// keptHeader is a header's name in the definition and on the record.
type keptHeader struct {
	name, lower string
	// separator joins the fields of a header that holds signatures: each of
	// them may be the one that counts.
	separator string
}

func (h *keptHeader) value(req *request.Request) string {
	if h.separator == "" {
		return req.Header(h.name)
	}
	fields := req.Headers(h.name)
	if len(fields) == 1 {
		return fields[0]
	}
	return strings.Join(fields, h.separator)
}

func compile(def *provider.Definition, verifier *verify.Verifier) *compiled {
	c := &compiled{
		def:      def,
		verifier: verifier,
		fields:   request.NewFields(def),
		methods:  slices.Clone(def.Methods),
		keep:     keptHeaders(def),
		needs:    make(map[*provider.Verify]needs, len(def.Verify)),
		// RFC 9110, section 15.5.2, wants a challenge with every 401. No
		// registered scheme describes webhooks, so it says which header
		// is asked for.
		challenge: `Webhook-Signature realm="` + def.Provider + `"`,
	}
	if name := def.Verify[0].Signature.Header; name != "" {
		c.challenge += `, header="` + name + `"`
	}
	for i := range def.Verify {
		v := &def.Verify[i]
		c.needs[v] = needs{def.KeepsMethod(v), def.KeepsURL(v)}
	}
	for i := range def.Handshakes {
		h := &def.Handshakes[i]
		c.captures = c.captures || h.Action == provider.Capture && h.Token != nil
		if !slices.Contains(c.methods, h.Method) {
			c.methods = append(c.methods, h.Method)
		}
	}
	c.allow = strings.Join(c.methods, ", ")
	return c
}

func (c *compiled) methodNotAllowed() *refusal {
	return refuse(methodNotAllowed, "webhooks of this provider are sent with %s", strings.Join(c.def.Methods, " or ")).with("Allow", c.allow)
}

// manyNumbered is how many headers a name that ends in * stands for.
const manyNumbered = 100

// keptHeaders writes out the names that end in *.
func keptHeaders(def *provider.Definition) []keptHeader {
	separators := map[string]string{}
	for i := range def.Verify {
		at := &def.Verify[i].Signature
		for _, name := range at.Headers() {
			separators[strings.ToLower(name)] = at.FieldSeparator()
		}
	}
	var keep []keptHeader
	for _, name := range def.RequestHeaders() {
		separator := separators[strings.ToLower(name)]
		stem, numbered := strings.CutSuffix(name, "*")
		if !numbered {
			keep = append(keep, keptHeader{name, strings.ToLower(name), separator})
			continue
		}
		for i := range manyNumbered {
			name := stem + strconv.Itoa(i+1)
			keep = append(keep, keptHeader{name, strings.ToLower(name), separator})
		}
	}
	return keep
}
