// SPDX-License-Identifier: Apache-2.0

package document

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
)

const docs = "../../../docs/"

func TestDocumentsAreCurrent(t *testing.T) {
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	page, err := Markdown(topic.DefaultNames(), catalog)
	if err != nil {
		t.Fatal(err)
	}
	api, err := AsyncAPI(topic.DefaultNames())
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{docs + "events.md": page, docs + "asyncapi.yaml": string(api), docs + "failures.md": Failures()} {
		golden.Check(t, file, []byte(want))
	}
}

// TestEveryHeaderOfAnEventIsDescribed compares with what is really written.
func TestEveryHeaderOfAnEventIsDescribed(t *testing.T) {
	described := map[string]bool{}
	for _, h := range eventHeaders {
		described[h.name] = true
	}
	ev := &event.Event{Entity: "payment", ID: "k"}
	for _, h := range record.EventRecord("events.payment.v1", ev, nil).Headers {
		if !described[h.Key] {
			t.Errorf("header %s is not described", h.Key)
		}
	}
}

func TestReferencesOfAsyncAPIResolve(t *testing.T) {
	text, err := AsyncAPI(topic.DefaultNames())
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Load(text, &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				n++
				if !resolves(doc, ref) {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(doc)
	if want := 4 * len(event.Entities()); n != want {
		t.Errorf("%d references, want %d", n, want)
	}
}

func resolves(doc map[string]any, ref string) bool {
	var at any = doc
	for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := at.(map[string]any)
		if at = m[step]; !ok || at == nil {
			return false
		}
		// A message of a channel is a reference itself.
		if inner, ok := at.(map[string]any)["$ref"].(string); ok {
			return resolves(doc, inner)
		}
	}
	return true
}
