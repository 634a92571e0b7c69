// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the edge in OpenAPI 3.1
// (https://spec.openapis.org/oas/v3.1.1). The problems are the edge's own, so
// that none is forgotten.
package openapi

import (
	_ "embed"
	"net/http"
	"slices"
	"strings"
	"text/template"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/problem"
)

//go:embed edge.yaml.tmpl
var source string

var document = template.Must(template.New("edge.yaml").Parse(source))

// refusals are the problems of one status.
type refusals struct {
	Status   int
	Text     string
	Problems []problem.Type
	// Headers that the answer has besides, by component name.
	Headers []header
}

type header struct{ Name, Component string }

// Document is the description in YAML.
func Document() (string, error) {
	var b strings.Builder
	err := document.Execute(&b, map[string]any{"Refusals": byStatus(edge.Problems())})
	return b.String(), err
}

func byStatus(problems []problem.Type) []*refusals {
	var out []*refusals
	for _, p := range problems {
		i := slices.IndexFunc(out, func(r *refusals) bool { return r.Status == p.Status })
		if i < 0 {
			i = len(out)
			out = append(out, &refusals{Status: p.Status, Text: http.StatusText(p.Status), Headers: headers[p.Status]})
		}
		out[i].Problems = append(out[i].Problems, p)
	}
	slices.SortFunc(out, func(a, b *refusals) int { return a.Status - b.Status })
	return out
}

// headers are those that a status brings.
var headers = map[int][]header{
	http.StatusUnauthorized:         {{"WWW-Authenticate", "Challenge"}},
	http.StatusMethodNotAllowed:     {{"Allow", "Allow"}},
	http.StatusUnsupportedMediaType: {{"Accept-Encoding", "AcceptEncoding"}},
	http.StatusTooManyRequests:      {{"Retry-After", "RetryAfter"}},
	http.StatusServiceUnavailable:   {{"Retry-After", "RetryAfter"}},
}
