// SPDX-License-Identifier: Apache-2.0

// Package request is an HTTP request as provider definitions refer to it: by
// {header.X}, {body.a.b} and the like.
package request

import (
	"net/http"
	"net/url"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Fields are the body paths that one definition refers to, compiled.
type Fields struct {
	paths *body.Paths
	index map[string]int
}

// NewFields compiles body paths.
func NewFields(paths []string) *Fields {
	f := &Fields{paths: body.NewPaths(paths), index: make(map[string]int, len(paths))}
	for i, p := range paths {
		f.index[p] = i
	}
	return f
}

// Request is one request with its whole body. It is not safe for concurrent
// use.
type Request struct {
	http *http.Request
	// Body is exactly what was sent.
	Body []byte

	origin string
	fields *Fields
	query  url.Values

	values    []body.Value
	malformed error
	read      bool
}

// New wraps r, whose body was read already. Origin replaces the scheme and host
// of {url} where it is not empty, for a proxy in front that changes them.
func New(r *http.Request, data []byte, fields *Fields, origin string) *Request {
	return &Request{http: r, Body: data, fields: fields, origin: origin}
}

// Header is the first value of a header. Only one counts everywhere, so that
// what is verified is what is identified and kept.
func (r *Request) Header(name string) string {
	if http.CanonicalHeaderKey(name) == "Host" {
		return r.http.Host // net/http takes it out of the headers
	}
	return r.http.Header.Get(name)
}

// Lookup resolves a reference as provider.Lookup wants it. {timestamp} is the
// verification's to know, and {body} is never copied into text.
func (r *Request) Lookup(ref provider.Ref) (string, bool) {
	var text string
	switch ref.Kind {
	case provider.RefMethod:
		text = r.http.Method
	case provider.RefURL:
		text = r.url()
	case provider.RefPath:
		text = r.http.URL.EscapedPath()
	case provider.RefQuery:
		if r.query == nil {
			r.query = r.http.URL.Query()
		}
		text = r.query.Get(ref.Name)
	case provider.RefHeader:
		text = r.Header(ref.Name)
	case provider.RefBodyPath:
		return r.field(ref.Name)
	}
	return text, text != ""
}

// url is the request's absolute URL as the sender is expected to have signed it.
func (r *Request) url() string {
	if r.origin != "" {
		return r.origin + r.http.URL.RequestURI()
	}
	scheme := "http"
	if r.http.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.http.Host + r.http.URL.RequestURI()
}

func (r *Request) field(path string) (string, bool) {
	i, known := r.fields.index[path]
	if !known || r.Malformed() != nil {
		return "", false
	}
	v := r.values[i]
	return v.Text, v.OK && v.Text != ""
}

// Malformed says why the body cannot be decoded, or is nil. The body is read
// once, in one pass that validates all of it and picks the fields out.
func (r *Request) Malformed() error {
	if !r.read {
		r.read = true
		r.values, r.malformed = r.fields.paths.Extract(r.Body)
	}
	return r.malformed
}
