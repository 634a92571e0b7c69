// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"slices"
	"strings"
)

// Body says how a body is read.
type Body struct {
	// Formats are json, form and empty; json where the file has none. The Content-Type
	// chooses between json and form where both are allowed.
	Formats []Format `yaml:"formats"`
	// Form is the field of a form that holds the event as JSON. Without it
	// the form's fields are the event.
	Form string `yaml:"form"`
	// Batch are paths to the items of a batch, in which * is any element of
	// an array, for example notificationItems.* or just *. Each item becomes
	// a record of its own, whose body is the request's with every such array
	// cut down to that one item.
	Batch []string `yaml:"batch"`
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
	if len(b.Batch) > 0 && slices.Contains(b.Formats, Form) {
		p.add("a form is not split: only JSON bodies hold batches", "body", "batch")
	}
	for i, path := range b.Batch {
		if err := checkPath(path); err != nil {
			p.add(err.Error(), "body", "batch", i)
		} else if steps := strings.Split(path, "."); steps[len(steps)-1] != "*" {
			p.add(fmt.Sprintf("%q must end in *, the items of an array", path), "body", "batch", i)
		}
	}
}
