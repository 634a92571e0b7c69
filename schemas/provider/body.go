// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/schemas/body"
)

// Body says how a body is read.
type Body struct {
	// Formats are json, form and empty; json where the file has none. The Content-Type
	// chooses between json and form where both are allowed.
	Formats []Format `yaml:"formats"`
	// Form is the field of a form that holds the event as JSON. Without it,
	// or where a form has no such field, the form's fields are the event.
	Form string `yaml:"form"`
	// Batch are paths to the items of a batch, in which * is any element of
	// an array, for example notificationItems.* or just *. Each item becomes
	// a record of its own, whose body is the request's with every such array
	// cut down to that one item. See body.Batch for paths that nest. A form whose
	// fields are the event is never split.
	Batch []string `yaml:"batch"`

	batch *body.Batch
}

// View is a body as JSON, which is what definitions refer to and what is mapped:
// JSON as it is, a form as an object of its fields, or the JSON in its field Form,
// and {} for an empty body. Every part of Hookstream sees this one view; the record
// keeps what was sent. An error says that the body is in none of the formats. JSON is
// not validated here, and not copied.
func (b *Body) View(contentType string, raw []byte) ([]byte, error) {
	switch {
	case len(raw) == 0 && b.allows(Empty):
		return []byte("{}"), nil
	case b.allows(Form) && (!b.allows(JSON) || body.IsForm(contentType)):
		if b.Form != "" {
			return body.FormField(raw, b.Form)
		}
		return body.FormJSON(raw)
	case !b.allows(JSON):
		return nil, fmt.Errorf("body is in none of the formats %s", join(b.Formats))
	}
	return raw, nil
}

// allows reports whether bodies come in a format; without any, they are JSON.
func (b *Body) allows(f Format) bool {
	return slices.Contains(b.Formats, f) || len(b.Formats) == 0 && f == JSON
}

// Split cuts a view into the items of a batch, see body.Batch.Split. A view of a
// provider without batches is one item, and is not read. A single item whose Body is
// as long as the view is the view.
func (b *Body) Split(view []byte) ([]body.Item, error) {
	if len(b.Batch) == 0 {
		return []body.Item{{Body: view, Ranges: []body.Range{{Start: 0, End: len(view)}}}}, nil
	}
	batch := b.batch
	if batch == nil { // not from a file
		batch = body.NewBatch(b.Batch)
	}
	return batch.Split(view)
}

// Format is a way to write a body.
type Format string

// The formats.
const (
	JSON  Format = "json"
	Form  Format = "form"
	Empty Format = "empty"
)

func (b *Body) validate(p *problems) {
	for i, f := range b.Formats {
		oneOf(p, f, true, []Format{JSON, Form, Empty}, "body", "formats", i)
	}
	if b.Form != "" && !slices.Contains(b.Formats, Form) {
		p.add("formats does not allow a form", "body", "form")
	}
	forms := slices.Contains(b.Formats, Form)
	for i, path := range b.Batch {
		if err := checkPath(path); err != nil {
			p.add(err.Error(), "body", "batch", i)
		} else if steps := strings.Split(path, "."); steps[len(steps)-1] != "*" {
			p.add(fmt.Sprintf("%q must end in *, the items of an array", path), "body", "batch", i)
		} else if forms && steps[0] != "*" {
			// A repeated field is an array; a form itself never is.
			p.add(fmt.Sprintf("%q may be a field of a form: a form whose fields are the event is not split", path), "body", "batch", i)
		}
	}
}
