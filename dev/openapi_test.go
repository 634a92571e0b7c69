// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// TestOpenAPIIsValid checks docs/openapi.yaml against the schema of OpenAPI 3.1.
// That it is what the edge answers, ingest tests.
func TestOpenAPIIsValid(t *testing.T) {
	data, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(data)
	if err != nil {
		t.Fatal(err)
	}
	if v := doc.GetVersion(); v != "3.1.0" {
		t.Errorf("OpenAPI %s", v)
	}
	v, errs := validator.NewValidator(doc)
	for _, err := range errs {
		t.Error(err)
	}
	if ok, problems := v.ValidateDocument(); !ok {
		for _, p := range problems {
			t.Errorf("line %d: %s: %s", p.SpecLine, p.Message, p.Reason)
			for _, f := range p.SchemaValidationErrors {
				t.Error(f.Reason)
			}
		}
	}
}
