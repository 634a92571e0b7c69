// SPDX-License-Identifier: Apache-2.0

// Package openapi describes the edge in OpenAPI 3.1
// (https://spec.openapis.org/oas/v3.1.1). The problems are the edge's own, so
// that none is forgotten.
package openapi

import (
	_ "embed"
	"net/http"
	"strings"
	"text/template"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/stage/problem"
)

//go:embed edge.yaml.tmpl
var source string

var document = template.Must(template.New("edge.yaml").Funcs(template.FuncMap{
	"headers": func(status int) []header { return headers[status] },
}).Parse(source))

// header is one that an answer has besides, and the component that describes it.
type header struct{ Name, Component string }

// Document is the description in YAML.
func Document() (string, error) {
	var b strings.Builder
	err := document.Execute(&b, map[string]any{"Refusals": problem.ByStatus(edge.Problems())})
	return b.String(), err
}

// headers are those that a status brings.
var headers = map[int][]header{
	http.StatusUnauthorized:         {{"WWW-Authenticate", "Challenge"}},
	http.StatusMethodNotAllowed:     {{"Allow", "Allow"}},
	http.StatusUnsupportedMediaType: {{"Accept-Encoding", "AcceptEncoding"}},
	http.StatusTooManyRequests:      {{"Retry-After", "RetryAfter"}},
	http.StatusServiceUnavailable:   {{"Retry-After", "RetryAfter"}},
}
