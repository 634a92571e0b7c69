// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// RefKind is what a template reference leads to.
type RefKind string

// The references: {timestamp}, {body}, {method}, {url}, {path}, {query.NAME},
// {header.NAME} and {body.PATH}.
const (
	RefTimestamp RefKind = "timestamp"
	RefBody      RefKind = "body"
	RefMethod    RefKind = "method"
	RefURL       RefKind = "url"
	RefPath      RefKind = "path"
	RefQuery     RefKind = "query"
	RefHeader    RefKind = "header"
	RefBodyPath  RefKind = "body path"
)

// Ref is one reference of a template. Name is set for the last three kinds.
type Ref struct {
	Kind RefKind
	Name string
}

// Template is text with references to parts of a request.
type Template struct {
	text  string
	parts []Part
}

// Part is literal text, or a reference where Ref is not nil.
type Part struct {
	Literal string
	Ref     *Ref
}

// Lookup resolves a reference. It reports false where the request has no such
// part, or an empty one.
type Lookup func(Ref) (string, bool)

// ParseTemplate compiles a template.
func ParseTemplate(text string) (Template, error) {
	t := Template{text: text}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if literal != "" {
			t.parts = append(t.parts, Part{Literal: literal})
		}
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return Template{}, fmt.Errorf("template %q: { without }", text)
		}
		ref, err := parseRef(name)
		if err != nil {
			return Template{}, fmt.Errorf("template %q: %w", text, err)
		}
		t.parts = append(t.parts, Part{Ref: &ref})
		rest = tail
	}
	return t, nil
}

func parseRef(s string) (Ref, error) {
	kind, name, dotted := strings.Cut(s, ".")
	if dotted && name == "" {
		return Ref{}, fmt.Errorf("reference {%s} has no name after the dot", s)
	}
	switch k := RefKind(kind); {
	case k == RefBody && dotted:
		return Ref{Kind: RefBodyPath, Name: name}, nil
	case (k == RefQuery || k == RefHeader) && dotted:
		return Ref{Kind: k, Name: name}, nil
	case !dotted && (k == RefTimestamp || k == RefBody || k == RefMethod || k == RefURL || k == RefPath):
		return Ref{Kind: k}, nil
	}
	return Ref{}, fmt.Errorf("unknown reference {%s}; known are timestamp, body, method, url, path, query.NAME, header.NAME and body.PATH", s)
}

// UnmarshalYAML parses a template where a definition holds one.
func (t *Template) UnmarshalYAML(n *yaml.Node) error {
	var text string
	if err := n.Decode(&text); err != nil {
		return err
	}
	parsed, err := ParseTemplate(text)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*t = parsed
	return nil
}

// String is the template's source.
func (t Template) String() string { return t.text }

// Parts are what the template is made of, in order, for callers that stream it
// rather than build a string. They must not be changed.
func (t Template) Parts() []Part { return t.parts }

// Refs lists the template's references.
func (t Template) Refs() []Ref {
	var refs []Ref
	for _, p := range t.parts {
		if p.Ref != nil {
			refs = append(refs, *p.Ref)
		}
	}
	return refs
}

// Expand fills the template in. It reports false where a reference does not
// resolve.
func (t Template) Expand(lookup Lookup) (string, bool) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.Ref == nil {
			b.WriteString(p.Literal)
			continue
		}
		v, ok := lookup(*p.Ref)
		if !ok {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}
