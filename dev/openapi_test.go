// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// TestOpenAPIIsValid checks the documents against the schema of OpenAPI 3.1. That
// they are what is answered, ingest and dlq test.
func TestOpenAPIIsValid(t *testing.T) {
	for _, name := range []string{"openapi.yaml", "openapi-dlq.yaml"} {
		t.Run(name, func(t *testing.T) { openAPIIsValid(t, "../docs/"+name) })
	}
}

func openAPIIsValid(t *testing.T, file string) {
	data, err := os.ReadFile(file)
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
