// SPDX-License-Identifier: Apache-2.0

package identify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
)

// request is what a record keeps of its request: the body, and of headers and URL
// what the definition refers to.
type request struct {
	webhook *record.Webhook
	url     *url.URL
	fields  map[string]body.Value
}

func newRequest(def *provider.Definition, w *record.Webhook) (*request, error) {
	view, err := def.Body.View(w.ContentType, w.Body)
	if err != nil {
		return nil, err
	}
	names := def.BodyPaths()
	values, err := body.NewPaths(names).Extract(view)
	if err != nil {
		return nil, fmt.Errorf("its payload is still malformed: %w", err)
	}
	if err := single(def, view); err != nil {
		return nil, err
	}
	r := &request{webhook: w, fields: make(map[string]body.Value, len(names))}
	for i, name := range names {
		r.fields[name] = values[i]
	}
	if r.url, err = url.Parse(w.URL); err != nil {
		return nil, errors.New("header " + header.HTTPURL + " is no URL")
	}
	return r, nil
}

// single makes sure that the payload is one event: a replay sends one record.
func single(def *provider.Definition, view []byte) error {
	items, err := def.Body.Split(view)
	switch {
	case err != nil:
		return fmt.Errorf("it cannot be split: %w", err)
	case len(items) != 1:
		return fmt.Errorf("it holds %d events, and a replay sends one: send it to the edge again, signed by ingest sign", len(items))
	}
	return nil
}

// lookup resolves a reference as provider.Lookup wants it.
func (r *request) lookup(ref provider.Ref) (string, bool) {
	var text string
	switch ref.Kind {
	case provider.RefBody:
		text = string(r.webhook.Body)
	case provider.RefMethod:
		text = r.webhook.Method
	case provider.RefURL:
		text = r.webhook.URL
	case provider.RefPath:
		text = r.url.EscapedPath()
	case provider.RefQuery:
		text = r.url.Query().Get(ref.Name)
	case provider.RefHeader:
		text = r.header(ref.Name)
	case provider.RefBodyPath:
		v := r.fields[ref.Name]
		return v.Text, v.OK && v.Text != ""
	}
	return text, text != ""
}

func (r *request) header(name string) string {
	if strings.EqualFold(name, header.ContentType) {
		return r.webhook.ContentType
	}
	return r.webhook.Request[strings.ToLower(name)]
}
