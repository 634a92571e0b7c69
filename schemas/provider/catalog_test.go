// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/yamlfile"
)

func TestEmbeddedDefinitionsLoad(t *testing.T) {
	c, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"github", "shopify", "standard-webhooks", "stripe", "svix"} {
		if c[name] == nil {
			t.Errorf("no definition of %s among %v", name, c.Names())
		}
	}
}

var minimal = providertest.Acme("customer") + `events:
  - types: ["customer.*"]
    entity: customer
    requires: {body.customer: "*"}
    fields:
      name: .name
`

func TestProblemsNameFileLineAndField(t *testing.T) {
	if _, err := Parse("acme.yaml", []byte(minimal)); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct{ from, to, want string }{
		"algorithm":         {"algorithm: sha256", "algorithm: md5", `acme.yaml:7: verify.algorithm: "md5" is not one of sha1, sha256, sha512`},
		"body not signed":   {`signed: "{body}"`, `signed: "{url}"`, "acme.yaml:10: verify.signed: must contain {body}"},
		"unsigned time":     {`signed: "{body}"`, `signed: "{timestamp}.{body}"`, "acme.yaml:10: verify.signed: {timestamp}"},
		"no key":            {`  key: [{from: "{body.customer}"}]`, "", "acme.yaml:12: identity.key: needs at least one alternative"},
		"unknown entity":    {"entity: customer", "entity: client", `acme.yaml:18: events[0].entity: "client" is not one of`},
		"unknown field":     {"name: .name", "nmae: .name", `acme.yaml:21: events[0].fields.nmae: customer has no field "nmae"`},
		"nothing required":  {"    requires: {body.customer: \"*\"}\n", "", "acme.yaml:17: events[0].requires: says not by what a body is known"},
		"requires a header": {"{body.customer: \"*\"}", "{body.customer: \"*\", header.X-Topic: customer}", "acme.yaml:19: events[0].requires: {header.X-Topic} is not body.PATH"},
		"requires no key":   {"requires: {body.customer: \"*\"}", "requires: [{body.customer: \"*\"}, {body.name: \"*\", body.customer: \"\"}]", "acme.yaml:19: events[0].requires[1]: does not make sure that bodies of customer.* have one of identity.key"},
		"bad glob":          {`["customer.*"]`, `["customer.["]`, "acme.yaml:17: events[0].types[0]: pattern"},
		"unknown key":       {"title: Acme", "titel: Acme", "acme.yaml:2: field titel not found"},
		"bad reference":     {"{body.id}", "{boody.id}", "acme.yaml:13: template"},
		"revision":          {"revision: 1", "revision: 0", "acme.yaml:4: revision: must be at least 1"},
		"not yaml":          {"provider: acme", "provider: [", "acme.yaml:3: "},
		"id of nothing":     {"{body.id}", "constant", "acme.yaml:13: identity.id[0].from: refers to no part"},
		"stage of all":      {"events:", "  sequence: [{from: \"1\"}]\nevents:", "identity.sequence[0].from: refers to no part"},
		"stage in words":    {"events:", "  sequence: [{when: [\"a.*\"], from: last}]\nevents:", "identity.sequence[0].from: refers to no part"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("acme.yaml", []byte(strings.Replace(minimal, c.from, c.to, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestDirectoryOverridesAndAdds(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("acme.yaml", minimal)
	write("stripe.yaml", strings.NewReplacer("provider: acme", "provider: stripe", "Acme", "Ours").Replace(minimal))
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c["acme"] == nil || c["stripe"].Title != "Ours" || c["github"] == nil {
		t.Errorf("got %v, stripe titled %q", c.Names(), c["stripe"].Title)
	}

	write("wrong.yaml", minimal)
	_, err = Load(dir)
	var p *yamlfile.Problem
	if !errors.As(err, &p) || !strings.HasSuffix(p.File, "wrong.yaml") || p.Field != "provider" {
		t.Errorf("got %v, want a problem with wrong.yaml", err)
	}
}

// FuzzParse holds the parser to an error or a definition, never a panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	for _, verify := range schemeExamples {
		f.Add([]byte(withVerify(verify, "handshakes: [{name: a, method: GET, answer: {content_type: text/plain, body: '{query.c|sign}'}}]\nbody: {formats: [form], form: p, batch: ['a.*']}\n")))
	}
	f.Add([]byte("provider: acme\nevents: [{types: [a], entity: payment, fields: {id: 1}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("acme.yaml", data)
		if (d == nil) == (err == nil) {
			t.Fatalf("definition %v and error %v", d, err)
		}
		if d == nil {
			return
		}
		for _, name := range d.RequestHeaders() {
			if d.holdsSecret(Ref{Kind: RefHeader, Name: name}) {
				t.Fatalf("keeps %s, a secret", name)
			}
		}
		body.NewPaths(d.BodyPaths())
	})
}
