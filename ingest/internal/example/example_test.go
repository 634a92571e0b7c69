// SPDX-License-Identifier: Apache-2.0

package example

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/reason"
)

// definitions is the built-in catalogue's folder.
const definitions = "../../../schemas/provider/definitions"

// TestExamples holds the edge and the built-in definitions to every example of
// the catalogue.
func TestExamples(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range catalog.Names() {
		t.Run(name, func(t *testing.T) {
			examples, err := Load(filepath.Join(definitions, Folder, name))
			if err != nil {
				t.Fatal(err)
			}
			checker, err := NewChecker(catalog[name])
			if err != nil {
				t.Fatal(err)
			}
			refused := func(e *Example) bool { return e.Want.Refused != "" }
			if len(examples) < 2 || !slices.ContainsFunc(examples, refused) {
				t.Errorf("%d examples; at least one must be accepted and one refused", len(examples))
			}
			for _, e := range examples {
				t.Run(strings.TrimSuffix(filepath.Base(e.File), ".yaml"), func(t *testing.T) {
					if _, err := checker.Check(e); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

var acme = providertest.Acme("order") + `  time: [{from: "{body.at}", unit: s}]
`

// paid is a request that this signed:
//
//	printf %s "$body" | openssl dgst -sha256 -hmac s3cret
const paid = `# A paid order.
request:
  headers:
    X-Acme-Signature: ea4ca362efc369ab245f978393afabf34b0ba896783f754a222cfd1e327566a1
  body: |-
    {"id":"ev_1","type":"order.paid","order":"A-7","at":1767322800}
secret: s3cret
want:
`

const stored = `  records:
    - {id: ev_1, type: order.paid, key: A-7, time: 2026-01-02T03:00:00Z}
`

func checker(t *testing.T, definition string) *Checker {
	t.Helper()
	def, err := provider.Parse("acme.yaml", []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewChecker(def)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExamplesThatHold(t *testing.T) {
	cases := map[string]struct{ from, to, want string }{
		"stored":          {"", "", stored},
		"another tenant":  {"request:", "request:\n  url: https://h.example/webhooks/shop/acme", strings.Replace(stored, "key:", "tenant: shop, key:", 1)},
		"rotated secret":  {"secret: s3cret", "secret: [new, s3cret]", stored},
		"in base64":       {`body: |-` + "\n    " + `{"id":"ev_1","type":"order.paid","order":"A-7","at":1767322800}`, "body_base64: eyJpZCI6ImV2XzEiLCJ0eXBlIjoib3JkZXIucGFpZCIsIm9yZGVyIjoiQS03IiwiYXQiOjE3NjczMjI4MDB9", stored},
		"wrong secret":    {"secret: s3cret", "secret: other", "  refused: signature_mismatch\n"},
		"no signature":    {"X-Acme-Signature", "X-Other", "  refused: missing_signature\n"},
		"method":          {"request:", "request:\n  method: GET", "  status: 405\n"},
		"no such path":    {"request:", "request:\n  url: https://h.example/other", "  status: 404\n"},
		"repeated header": {"X-Acme-Signature: ea", "X-Other: [a, b]\n    X-Acme-Signature: ea", stored},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := Parse("paid.yaml", []byte(strings.Replace(paid, c.from, c.to, 1)+c.want))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := checker(t, acme).Check(e); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestExamplesThatDoNotHoldSayWhere(t *testing.T) {
	cases := map[string]struct {
		from, to string
		want     []string
	}{
		"id":             {"{id: ev_1", "{id: ev_2", []string{`paid.yaml:10: want.records[0].id: got "ev_1", want "ev_2"`}},
		"type and key":   {"order.paid, key: A-7", "order, key: A", []string{`want.records[0].type: got "order.paid"`, `want.records[0].key: got "A-7"`}},
		"time":           {"03:00:00Z}", "04:00:00Z}", []string{`want.records[0].time: got "2026-01-02T03:00:00Z", want "2026-01-02T04:00:00Z"`}},
		"no time":        {", time: 2026-01-02T03:00:00Z", "", []string{`paid.yaml:10: want.records[0].time: got "2026-01-02T03:00:00Z", want "null"`}},
		"natural":        {"{id:", "{natural: true, id:", []string{`want.records[0].natural: got "false"`}},
		"tenant":         {"{id:", "{tenant: shop, id:", []string{`want.records[0].tenant: got "default"`}},
		"sequence":       {"{id:", "{sequence: 4, id:", []string{`want.records[0].sequence: got "null", want "4"`}},
		"defect":         {"{id:", "{defect: missing_key, id:", []string{`want.records[0].defect: got "null"`}},
		"nothing stored": {"    - {id: ev_1", "    # ", []string{`paid.yaml:9: want.records: 1 stored, want 0; {id: "ev_1", natural: false, type: "order.paid", key: "A-7"`}},
		"accepted":       {"  records:\n    - {id: ev_1", "  refused: missing_signature #", []string{`want.status: got 202, want 401`, `paid.yaml:9: want.refused: got "", want "missing_signature"`}},
		"refused":        {"secret: s3cret", "secret: other", []string{`paid.yaml:8: want.status: got 401, want 202: signature_mismatch`, "want.records: 0 stored, want 1"}},
		"answer":         {"want:\n", "want:\n  answer: ok\n", []string{`paid.yaml:9: want.answer: got "{\"eventId\"`}},
		"no secret":      {"secret: s3cret\n", "", []string{`want.status: got 404`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := Parse("paid.yaml", []byte(strings.Replace(paid+stored, c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = checker(t, acme).Check(e)
			wantError(t, err, c.want...)
		})
	}
}

func TestExamplesThatCannotBeReadSayWhere(t *testing.T) {
	cases := map[string]struct{ from, to, want string }{
		"not YAML":          {"request:", "request: [", "paid.yaml:"},
		"unknown field":     {"secret:", "sekret:", "paid.yaml:7: "},
		"unknown in record": {"key:", "kei:", "paid.yaml:10: "},
		"time":              {"time: 2026-01-02T03:00:00Z", "time: noon", "paid.yaml:10: "},
		"two bodies":        {"secret:", "  body_base64: e30=\nsecret:", "paid.yaml:7: request.body_base64: give the body once"},
		"base64":            {"secret:", "  body_base64: '*'\nsecret:", "paid.yaml:7: request.body_base64: illegal base64"},
		"refused, stored":   {"  records:", "  refused: x\n  records:", "paid.yaml:10: want.records: what is refused stores nothing"},
		"no key":            {", key: A-7", "", "paid.yaml:10: want.records[0]: needs id, type and key"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("paid.yaml", []byte(strings.Replace(paid+stored, c.from, c.to, 1)))
			wantError(t, err, c.want)
		})
	}
}

func wantError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %v, want it to hold %s", err, w)
		}
	}
}

// TestMappingsThatFailAreFound: an expression can compile and still not suit
// what the provider sends.
func TestMappingsThatFailAreFound(t *testing.T) {
	e, err := Parse("paid.yaml", []byte(paid+stored))
	if err != nil {
		t.Fatal(err)
	}
	mapped := acme + "events:\n  - types: [order.paid]\n    entity: order\n    requires: {body.order: \"*\"}\n    fields:\n      number: "
	out, err := checker(t, mapped+".order\n").Check(e)
	if err != nil || out.Events[0].Fields["number"] != "A-7" {
		t.Errorf("got %+v, %v", out, err)
	}
	out, err = checker(t, mapped+".order | tonumber\n").Check(e)
	if out.Events[0].Reason != reason.MappingFailed {
		t.Errorf("got %+v", out.Events[0])
	}
	wantError(t, err, "paid.yaml:10: want.records[0]: transform would dead-letter it: acme revision 1: order.paid: field number")
}
