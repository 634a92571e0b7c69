// SPDX-License-Identifier: Apache-2.0

package command

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hookstream/hookstream/schemas/providertest"
)

func TestCheckOfTheCatalogue(t *testing.T) {
	ingest(t, "check-provider", definitionsFolder).want(t, 0, "stripe.yaml: holds in 6 examples and 24 fixtures\n")
}

// sound is a fixture of acme.
const sound = `provider: acme
headers: {Content-Type: application/json}
body: '{"id": "e1", "type": "order.paid", "order": "A-7"}'
want:
  event_id: e1
  event_type: order.paid
  key: A-7
  time: null
  entity: order
  id: A-7
  deleted: false
  groups: null
  fields:
    number: A-7
`

// TestCheckHoldsTheMappingToFixtures tries a folder with fixtures and without
// examples.
func TestCheckHoldsTheMappingToFixtures(t *testing.T) {
	change := func(text, from, to string) string { return strings.Replace(text, from, to, 1) }
	for name, c := range map[string]struct{ definition, fixture, want string }{
		"sound":                     {acme, sound, `case.yaml: order A-7 {"number":"A-7"}` + "\n"},
		"another event comes out":   {change(acme, "number: .order", `number: .order + "x"`), sound, `case.yaml:14: fields.number: is "A-7x", want "A-7"`},
		"an expression is impure":   {change(acme, "number: .order", "number: now"), sound, "jq uses now"},
		"an expression fails":       {change(acme, "number: .order", "number: .order.x"), sound, "case.yaml: acme revision 1: order.paid: field number"},
		"a rule that nothing tries": {acme + "  - types: [refund]\n    entity: order\n    requires: {body.order: '*'}\n", sound, "acme.yaml:22: events[1]: no example or fixture has one of the types [refund]"},
		"a field that is not one":   {acme, change(sound, "number:", "numbre:"), "fields.numbre: order has no such field"},
		"a fixture of nobody":       {acme, change(sound, "provider: acme", "provider: other"), "which is not the folder's name"},
		"a fixture that is no YAML": {acme, sound + "\t- x", "case.yaml"},
	} {
		dir := write(t, map[string]string{"acme.yaml": c.definition, "fixtures/acme/case.yaml": c.fixture})
		code := 1
		if name == "sound" {
			code = 0
		}
		t.Run(name, func(t *testing.T) { ingest(t, "check-provider", dir).want(t, code, c.want) })
	}
}

func TestCheckShowsTheEvents(t *testing.T) {
	dir := write(t, map[string]string{
		"acme.yaml": acme, "examples/acme/paid.yaml": paid, "examples/acme/refused.yaml": refused, "fixtures/acme/case.yaml": sound,
	})
	r := ingest(t, "check-provider", dir)
	r.want(t, 0, `paid.yaml: order A-7 {"number":"A-7"}`, "refused.yaml: refused, signature_mismatch", "acme.yaml: holds in 2 examples and 1 fixture\n")
	var found []checked
	if err := json.Unmarshal([]byte(ingest(t, "check-provider", dir, "-o", "json").out), &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Fixtures != 1 || len(found[0].Outcomes) != 3 {
		t.Fatalf("%+v", found)
	}
	if e := found[0].Outcomes[0].Events[0]; e.EventID != "ev_1" || e.Entity != "order" || e.ID != "A-7" || e.Fields["number"] != "A-7" {
		t.Errorf("%+v", e)
	}
	if o := found[0].Outcomes[1]; o.Status != 401 || o.Refused != "signature_mismatch" || len(o.Events) != 0 {
		t.Errorf("%+v", o)
	}
}

func TestOutcomeLinesAreShortAndHarmless(t *testing.T) {
	payload := strings.Replace(sound, `"order": "A-7"`, `"order": "\u001b[2J`+strings.Repeat("ä", 1000)+`"`, 1)
	out := ingest(t, "check-provider", write(t, map[string]string{"acme.yaml": acme, "fixtures/acme/case.yaml": payload})).out
	line, _, _ := strings.Cut(out, "\n")
	if !utf8.ValidString(line) || strings.Contains(line, "\x1b") || strings.Count(line, "ä") > 240 {
		t.Errorf("the terminal is sent %q", line)
	}
}

func TestCheckSaysWhatIsWrongAndWhere(t *testing.T) {
	cases := map[string]struct {
		definition, example [2]string
		want                string
	}{
		"definition": {[2]string{"algorithm: sha256", "algorithm: md5"}, [2]string{}, `acme.yaml:7: verify.algorithm: "md5" is not one of sha1, sha256, sha512`},
		"field":      {[2]string{"encoding: hex", "encodeing: hex"}, [2]string{}, "acme.yaml:8: "},
		"expression": {[2]string{"number: .order", "number: .order |"}, [2]string{}, "acme.yaml:21: events[0].fields.number: "},
		"mapping":    {[2]string{"number: .order", "number: .order | tonumber"}, [2]string{}, "paid.yaml:10: want.records[0]: transform would dead-letter it: "},
		"example":    {[2]string{}, [2]string{"key: A-7", "key: A-8"}, `paid.yaml:10: want.records[0].key: got "A-7", want "A-8"`},
		"unreadable": {[2]string{}, [2]string{"secret:", "sekret:"}, "paid.yaml:7: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"acme.yaml":                strings.Replace(acme, c.definition[0], c.definition[1], 1),
				"examples/acme/paid.yaml":  strings.Replace(paid, c.example[0], c.example[1], 1),
				"examples/acme/other.yaml": refused,
			})
			file := filepath.Join(dir, "acme.yaml")
			ingest(t, "check-provider", file).want(t, 1, dir, c.want, "acme.yaml: 1 problem\n")
			var found []checked
			if err := json.Unmarshal([]byte(ingest(t, "check-provider", dir, "-o", "json").out), &found); err != nil {
				t.Fatal(err)
			}
			if len(found) != 1 || len(found[0].Problems) != 1 || found[0].File != file || found[0].Problems[0].Line == 0 {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestCheckAsksForExamples(t *testing.T) {
	files := map[string]string{"acme.yaml": providertest.Acme("order")}
	ingest(t, "check-provider", write(t, files)).want(t, 0, "holds in 0 examples: add one that is accepted and one that is refused to ")
	files["acme.yaml"] = acme
	ingest(t, "check-provider", write(t, files)).want(t, 1, "events[0]: no example or fixture has one of the types [order.paid]")
	files["examples/acme/paid.yaml"] = paid
	ingest(t, "check-provider", write(t, files)).want(t, 0, "holds in 1 example: add one that is refused")
	files["examples/acme/refused.yaml"] = refused
	if r := ingest(t, "check-provider", write(t, files)); !strings.HasSuffix(r.out, "acme.yaml: holds in 2 examples\n") {
		t.Error(r.out)
	}
}

func TestCheckOfNothing(t *testing.T) {
	ingest(t, "check-provider", t.TempDir()).want(t, 1, "holds no definitions")
	ingest(t, "check-provider", "nowhere.yaml").want(t, 1, "nowhere.yaml")
}
