// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the HTTP API of dlq serve in OpenAPI 3.1
// (https://spec.openapis.org/oas/v3.1.1). What is sent is described from the Go
// types that are sent, and the problems are the API's own, so neither can be
// forgotten.
package openapi

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"text/template"

	"github.com/hookstream/hookstream/dlq/internal/history"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/schemas/reason"
)

//go:embed dlq.yaml.tmpl
var source string

var document = template.Must(template.New("dlq.yaml").Funcs(template.FuncMap{"join": strings.Join, "filterFields": filterFields}).Parse(source))

// refusals are the problems of one status.
type refusals struct {
	Status   int
	Text     string
	Problems []serve.Problem
}

// Document is the description in YAML.
func Document() (string, error) {
	var b strings.Builder
	err := document.Execute(&b, map[string]any{
		"Refusals": byStatus(serve.Problems()),
		"Objects":  describe(serve.Page{}, output.Full{}, output.Summary{}, output.Simulation{}, output.Outcome{}, serve.Operation{}, history.Run{}),
		"Reasons":  reason.All(),
	})
	return b.String(), err
}

func byStatus(problems []serve.Problem) []*refusals {
	var out []*refusals
	for _, p := range problems {
		i := slices.IndexFunc(out, func(r *refusals) bool { return r.Status == p.Status })
		if i < 0 {
			i = len(out)
			out = append(out, &refusals{Status: p.Status, Text: http.StatusText(p.Status)})
		}
		out[i].Problems = append(out[i].Problems, p)
	}
	slices.SortFunc(out, func(a, b *refusals) int { return a.Status - b.Status })
	return out
}
