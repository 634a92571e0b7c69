// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/fixture"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/reason"
)

func TestRequires(t *testing.T) {
	def, err := provider.Parse("acme.yaml", []byte(providertest.Acme("key")+`events:
  - types: ["a.*"]
    entity: customer
    requires:
      - {body.key: "*", body.new.id: "*", body.old: ""}
      - {body.key: "*", body.items.0.kind: order}
    fields:
      name: .name
`))
	if err != nil {
		t.Fatal(err)
	}
	m := compiled(t, def)
	for text, want := range map[string]string{
		`{"key":"k","new":{"id":"1"}}`:                  "",
		`{"key":"k","new":{"id":0}}`:                    "",
		`{"key":"k","new":{"id":false}}`:                "",
		`{"key":"k","new":{"id":"1"},"old":{}}`:         "",
		`{"key":"k","new":{"id":"1"},"old":null}`:       "",
		`{"key":"k","items":[{"kind":"order"}]}`:        "",
		`{"key":"k","new":{"id":"1"},"old":{"id":1}}`:   "body.old is there",
		`{"key":"k","new":{"id":"1"},"old":false}`:      "body.old is there",
		`{"key":"k","new":{"id":""}}`:                   "body.new.id is not there",
		`{"key":"k","new":{"id":[]}}`:                   "body.new.id is not there",
		`{"key":"k","new":"text"}`:                      "body.new.id is not there",
		`{"key":"k","new":[1]}`:                         "body.new.id is not there",
		`{"key":"k","items":[{"kind":"customer"}]}`:     "body.new.id is not there",
		`{"key":"k","items":{"0":{"kind":"order"}}}`:    "body.new.id is not there",
		`{"new":{"id":"1"},"items":[{"kind":"order"}]}`: "body.key is not there",
		`[]`: "body.key is not there",
		`""`: "body.key is not there",
	} {
		_, err := m.Map(t.Context(), acme(text))
		var failed *Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (!errors.As(err, &failed) || failed.Reason != reason.TypeMismatch || err.Error() != "the body is not one of a.b: "+want):
			t.Errorf("%s: got %v, want a mismatch because %s", text, err, want)
		}
	}
}

// empties is what may stand where an object or an id should. With the first, the
// member is not there at all.
var empties = []any{"absent", nil, map[string]any{}, []any{}, ""}

// preferred are parts that a provider sends or not, and that say what an entity
// belongs to where they are there.
var preferred = map[string]bool{
	"adyen notificationItems.0.NotificationRequestItem.originalReference": true, // of a dispute
	"linear data.issueId":                  true, // else a comment on something else
	"sendgrid 0.sg_message_id":             true,
	"sendgrid 0.smtp-id":                   true,
	"square data.object.refund.payment_id": true, // else an unlinked refund
	"stripe data.object.payment_intent":    true, // else a charge without one
	"stripe data.object.charge":            true,
}

// TestAnEmptyObjectIsNoEntity empties, in every way, every part of the fixtures'
// bodies that identity.key or requires of their rule leads through. What comes of it
// is a dead letter, or an event of the same entity id: no last resort of
// identity.key makes a row of what is not there.
func TestAnEmptyObjectIsNoEntity(t *testing.T) {
	defs, tried, refused := catalog(t), 0, 0
	mappers := compiledAll(t, defs)
	for _, f := range fixtures(t) {
		def, m := defs[f.Provider], mappers[f.Provider]
		whole := becomes(t, m, def, f, f.Body)
		if whole == nil || whole.Entity == event.Generic || !json.Valid([]byte(f.Body)) {
			continue // a form has no objects
		}
		for _, path := range identifying(def, whole.Meta.EventType) {
			for i := range empties {
				text, changed := emptied(t, f.Body, path, i)
				if !changed {
					continue
				}
				tried++
				got := becomes(t, m, def, f, text)
				switch {
				case got == nil:
					refused++
				case got.Entity != event.Generic && got.ID != whole.ID && !preferred[f.Provider+" "+path]:
					t.Errorf("%s: with %s = %v, %s %s became %s", f.Name(), path, empties[i], got.Entity, whole.ID, got.ID)
				}
			}
		}
	}
	if tried < 3500 || refused < tried/2 {
		t.Errorf("of %d bodies %d were refused", tried, refused)
	}
	t.Logf("of %d bodies %d were refused", tried, refused)
}

func compiledAll(t *testing.T, defs provider.Catalog) map[string]*Mapper {
	t.Helper()
	all := map[string]*Mapper{}
	for name, def := range defs {
		all[name] = compiled(t, def)
	}
	return all
}

// identifying are the paths, and all that lead to them, in a body of the type.
func identifying(def *provider.Definition, eventType string) (paths []string) {
	refs := []provider.Ref{}
	for _, a := range def.Identity.Key {
		if a.When.Match(eventType) {
			refs = append(refs, a.From.Refs()...)
		}
	}
	for _, conditions := range def.RuleFor(eventType).Requires {
		refs = append(refs, conditions.Refs()...)
	}
	for _, ref := range refs {
		for path := ref.Name; ref.Kind == provider.RefBodyPath && path != ""; {
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
			at := strings.LastIndexByte(path, '.')
			path = path[:max(at, 0)]
		}
	}
	return paths
}

// emptied is a body with a part replaced by the i-th of empties. It reports false
// where the body has no such part, or it is empty already.
func emptied(t *testing.T, text, path string, i int) (string, bool) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var root any
	if err := decoder.Decode(&root); err != nil {
		t.Fatal(err)
	}
	steps := strings.Split(path, ".")
	at := root
	for n, step := range steps {
		last := n == len(steps)-1
		switch v := at.(type) {
		case map[string]any:
			if at = v[step]; !last {
				continue
			}
			if v[step] = empties[i]; i == 0 {
				delete(v, step)
			}
		case []any:
			index, err := strconv.Atoi(step)
			if err != nil || index >= len(v) {
				return "", false
			}
			if at = v[index]; !last {
				continue
			}
			if v[index] = empties[i]; i == 0 {
				return "", false
			}
		default:
			return "", false
		}
	}
	if !something(at) {
		return "", false
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), true
}

// becomes is the event that becomes of a fixture with another body, or nil.
func becomes(t *testing.T, m *Mapper, def *provider.Definition, f *fixture.Fixture, text string) *event.Event {
	t.Helper()
	changed := *f
	changed.Body = text
	w, err := changed.Webhook(def)
	if err != nil || w.EventID == "" || w.BusinessKey == "" {
		return nil
	}
	ev, err := m.Map(t.Context(), w)
	var failed *Error
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return ev
}

// TestABodyUnderAnotherTypesHeader sends the body of every fixture whose type is in a
// header that nobody signs under the header of every other: it is refused, stays
// generic, or is what its body says.
func TestABodyUnderAnotherTypesHeader(t *testing.T) {
	defs, all, tried := catalog(t), fixtures(t), 0
	mappers := compiledAll(t, defs)
	for _, f := range all {
		def, m := defs[f.Provider], mappers[f.Provider]
		for _, name := range typeHeaders(def) {
			for _, other := range all {
				header, ok := other.Headers[name]
				if other.Provider != f.Provider || !ok || f.Headers[name] == header {
					continue
				}
				forged := *f
				forged.Headers = maps.Clone(f.Headers)
				forged.Headers[name] = header
				tried++
				got, genuine := becomes(t, m, def, &forged, f.Body), becomes(t, m, def, f, f.Body)
				if got == nil || got.Entity == event.Generic || genuine != nil && got.Entity == genuine.Entity && got.ID == genuine.ID {
					continue
				}
				if !confusable[f.Provider+" "+got.Entity] {
					t.Errorf("%s under %s of %s became %s %s", f.Name(), name, other.Name(), got.Entity, got.ID)
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d bodies were tried", tried)
	}
	t.Logf("%d bodies", tried)
}

// confusable are the entities whose bodies nothing tells from another type's.
var confusable = map[string]bool{
	"bitbucket issue":      true, // issue:updated may bring the comment too, and the issue is what it was
	"woocommerce order":    true, // what was deleted is {"id":727}, be it an order or
	"woocommerce customer": true, // a customer
}

func typeHeaders(def *provider.Definition) (names []string) {
	for _, a := range def.Identity.Type {
		for _, ref := range a.From.Refs() {
			if ref.Kind == provider.RefHeader && !slices.Contains(names, ref.Name) {
				names = append(names, ref.Name)
			}
		}
	}
	return names
}
