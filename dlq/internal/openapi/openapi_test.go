// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/schemas/golden"
)

const file = "../../../docs/openapi-dlq.yaml"

// TestDocumentIsCurrent holds docs/openapi-dlq.yaml to the API. That it is valid
// OpenAPI 3.1, dev tests with a library.
func TestDocumentIsCurrent(t *testing.T) {
	want, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, file, []byte(want))
}

// TestEveryRouteIsDescribed, with every problem, and nothing else.
func TestEveryRouteIsDescribed(t *testing.T) {
	text, err := Document()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]any
		}
	}
	// Parameters of a path are a list, which is no operation.
	if err := yaml.Load([]byte(strings.ReplaceAll(text, "    parameters:\n      - {$ref: \"#/components/parameters/OperationID\"}\n", "")), &doc); err != nil {
		t.Fatal(err)
	}
	routes := serve.Routes()
	described := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			described++
			if _, ok := routes[strings.ToUpper(method)+" "+path]; !ok {
				t.Errorf("%s %s does not exist", method, path)
			}
			for _, p := range serve.Problems() {
				if op.Responses[strconv.Itoa(p.Status)] == nil {
					t.Errorf("%s %s lacks the status %d of %s", method, path, p.Status, p.Slug)
				}
			}
		}
	}
	if described != len(routes) || described == 0 {
		t.Errorf("%d of %d routes are described", described, len(routes))
	}
}

// TestFilterIsDescribed: a name that the API does not know is refused, so this
// compares with what it reads.
func TestFilterIsDescribed(t *testing.T) {
	if got, want := len(filterFields()), len(serve.FilterNames()); got != want {
		t.Errorf("%d of %d are described", got, want)
	}
	for _, f := range filterFields() {
		if !serve.FilterNames()[f.Name] {
			t.Errorf("there is no %s", f.Name)
		}
	}
}

// TestProblemsAreExplained where their types lead.
func TestProblemsAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../../docs/dlq-api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range serve.Problems() {
		if !strings.Contains(string(page), "\n### "+p.Slug+"\n") {
			t.Errorf("docs/dlq-api.md does not explain %s", p.Slug)
		}
	}
}
