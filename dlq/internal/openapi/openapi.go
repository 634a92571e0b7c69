// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the HTTP API of dlq serve in OpenAPI 3.1
// (https://spec.openapis.org/oas/v3.1.1). What is sent is described from the Go
// types that are sent, and the problems are the API's own, so neither can be
// forgotten.
package openapi

import (
	_ "embed"
	"strings"
	"text/template"

	"github.com/hookstream/hookstream/dlq/internal/history"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/problem"
)

//go:embed dlq.yaml.tmpl
var source string

var document = template.Must(template.New("dlq.yaml").Funcs(template.FuncMap{"join": strings.Join, "filterFields": filterFields}).Parse(source))

// Document is the description in YAML.
func Document() (string, error) {
	var b strings.Builder
	err := document.Execute(&b, map[string]any{
		"Refusals": problem.ByStatus(serve.Problems()),
		"Objects":  describe(serve.Page{}, output.Full{}, output.Summary{}, output.Simulation{}, output.Outcome{}, serve.Operation{}, history.Run{}),
		"Reasons":  reason.All(),
	})
	return b.String(), err
}
