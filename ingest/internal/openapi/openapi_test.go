// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/schemas/golden"
)

const file = "../../../docs/openapi.yaml"

// TestDocumentIsCurrent holds docs/openapi.yaml to the edge. That it is valid
// OpenAPI 3.1, dev tests with a library.
func TestDocumentIsCurrent(t *testing.T) {
	want, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, file, []byte(want))
}

type operation struct {
	Responses map[string]struct {
		Ref string `yaml:"$ref"`
	}
}

// TestEveryOperationHasEveryRefusal also reads the YAML, which a title with the
// wrong character in it would break.
func TestEveryOperationHasEveryRefusal(t *testing.T) {
	text, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]struct{ Get, Post operation }
	}
	if err := yaml.Load([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Paths) != 2 {
		t.Errorf("%d paths", len(doc.Paths))
	}
	for path, item := range doc.Paths {
		for method, op := range map[string]operation{"get": item.Get, "post": item.Post} {
			for _, p := range edge.Problems() {
				if status := strconv.Itoa(p.Status); op.Responses[status].Ref != "#/components/responses/Refused"+status {
					t.Errorf("%s %s lacks the status %s of %s", method, path, status, p.Slug)
				}
			}
		}
	}
	for _, p := range edge.Problems() {
		if !strings.Contains(text, `type: {const: "`+p.URI()+`"}`) {
			t.Errorf("the problem %s is not described", p.Slug)
		}
	}
}
