// SPDX-License-Identifier: Apache-2.0

// Package request is an HTTP request as provider definitions refer to it: by
// {header.X}, {body.a.b} and the like.
package request

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Fields are the body paths that one definition refers to, compiled, and how
// its bodies are read.
type Fields struct {
	paths *body.Paths
	index map[string]int
	body  *provider.Body
}

// NewFields compiles what def refers to.
func NewFields(def *provider.Definition) *Fields {
	paths := def.BodyPaths()
	f := &Fields{paths: body.NewPaths(paths), index: make(map[string]int, len(paths)), body: &def.Body}
	for i, p := range paths {
		f.index[p] = i
	}
	return f
}

// Request is one request with its whole body, or one item of a batch with the
// request that it came in. It is not safe for concurrent use.
type Request struct {
	http *http.Request
	// Body is exactly what was sent; of an item, the body cut down to it.
	Body []byte

	publicURL string
	fields    *Fields
	query     url.Values

	view      []byte
	values    []body.Value
	malformed error
	read      bool
}

// New wraps r, whose body was read already. PublicURL, where it is not empty,
// is what the sender calls this endpoint, for a proxy that changes it: the
// scheme and host of {url}, and its path too where it has one. The query is
// always the request's.
func New(r *http.Request, data []byte, fields *Fields, publicURL string) *Request {
	return &Request{http: r, Body: data, fields: fields, publicURL: publicURL}
}

// Item is the request with another body: JSON that is cut down to one item of
// its batch.
func (r *Request) Item(view []byte) *Request {
	item := *r
	item.Body, item.view = view, view
	item.read, item.values, item.malformed = false, nil, nil
	return &item
}

// Method is the request's HTTP method.
func (r *Request) Method() string { return r.http.Method }

// TLS is the connection's state, or nil where it is not encrypted.
func (r *Request) TLS() *tls.ConnectionState { return r.http.TLS }

// Header is the first value of a header. Only one counts everywhere, so that
// what is verified is what is identified and kept.
func (r *Request) Header(name string) string {
	if strings.EqualFold(name, "Host") {
		return r.http.Host // net/http takes it out of the headers
	}
	return r.http.Header.Get(name)
}

// Headers are all values of a header that is sent several times.
func (r *Request) Headers(name string) []string { return r.http.Header.Values(name) }

// Query is the decoded query. It must not be changed.
func (r *Request) Query() url.Values {
	if r.query == nil {
		r.query = r.http.URL.Query()
	}
	return r.query
}

// URL is the absolute URL as the sender is expected to have signed it.
func (r *Request) URL() string {
	if r.publicURL == "" {
		return r.scheme() + "://" + r.http.Host + r.http.URL.RequestURI()
	}
	_, rest, _ := strings.Cut(r.publicURL, "://")
	if !strings.Contains(rest, "/") {
		return r.publicURL + r.http.URL.RequestURI()
	}
	if r.http.URL.RawQuery == "" {
		return r.publicURL
	}
	return r.publicURL + "?" + r.http.URL.RawQuery
}

// scheme is what a trusted proxy said, else what the connection is.
func (r *Request) scheme() string {
	switch {
	case r.http.URL.Scheme != "":
		return r.http.URL.Scheme
	case r.http.TLS != nil:
		return "https"
	}
	return "http"
}

// Lookup resolves a reference as provider.Lookup wants it. {timestamp} and
// {secret} are the verification's to know.
func (r *Request) Lookup(ref provider.Ref) (string, bool) {
	var text string
	switch ref.Kind {
	case provider.RefBody:
		text = string(r.Body)
	case provider.RefMethod:
		text = r.http.Method
	case provider.RefURL:
		text = r.URL()
	case provider.RefPath:
		text = r.http.URL.EscapedPath()
	case provider.RefQuery:
		text = r.Query().Get(ref.Name)
	case provider.RefHeader:
		text = r.Header(ref.Name)
	case provider.RefBodyPath:
		return r.Field(ref.Name)
	}
	return text, text != ""
}

// Field is the text at a path of the decoded body, one that the definition
// refers to. It reports false where there is none, or an empty one.
func (r *Request) Field(path string) (string, bool) {
	i, known := r.fields.index[path]
	if !known || r.Malformed() != nil {
		return "", false
	}
	v := r.values[i]
	return v.Text, v.OK && v.Text != ""
}

// Malformed says why the body cannot be decoded, or is nil. It quotes nothing of
// it. The body is read once, in one pass that validates all of it and picks the
// fields out.
func (r *Request) Malformed() error {
	if !r.read {
		r.read = true
		if r.view == nil {
			r.view, r.malformed = r.fields.body.View(r.Header("Content-Type"), r.Body)
		}
		if r.malformed == nil {
			r.values, r.malformed = r.fields.paths.Extract(r.view)
		}
	}
	return r.malformed
}

// View is the body as JSON, which paths and batches refer to, where it is not
// Malformed.
func (r *Request) View() []byte { return r.view }
