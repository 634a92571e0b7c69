// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// RefKind is what a template reference leads to.
type RefKind string

// The references: {timestamp}, {body}, {method}, {url}, {path}, {secret},
// {query.NAME}, {header.NAME} and {body.PATH}.
const (
	RefTimestamp RefKind = "timestamp"
	RefBody      RefKind = "body"
	RefMethod    RefKind = "method"
	RefURL       RefKind = "url"
	RefPath      RefKind = "path"
	RefSecret    RefKind = "secret"
	RefQuery     RefKind = "query"
	RefHeader    RefKind = "header"
	RefBodyPath  RefKind = "body path"
)

// Ref is one reference of a template, in YAML {kind.name?|filter|filter}.
type Ref struct {
	Kind RefKind
	// Name is set for queries, headers and body paths.
	Name string
	// Optional references, written with a ?, are empty where they lead
	// nowhere.
	Optional bool
	// Filters change what was found, in their order.
	Filters []Filter
}

// Is reports whether the reference leads to that part of a request, whatever
// becomes of it then. Header names compare without case.
func (r Ref) Is(kind RefKind, name string) bool {
	if kind == RefHeader {
		return r.Kind == kind && strings.EqualFold(r.Name, name)
	}
	return r.Kind == kind && r.Name == name
}

// String is the reference as templates write it, without braces.
func (r Ref) String() string {
	text := string(r.Kind)
	switch r.Kind {
	case RefBodyPath:
		text = string(RefBody) + "." + r.Name
	case RefQuery, RefHeader:
		text += "." + r.Name
	}
	if r.Optional {
		text += "?"
	}
	for _, f := range r.Filters {
		text += "|" + string(f)
	}
	return text
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

// Lookup resolves a reference, before its filters. It reports false where the
// request has no such part, or an empty one.
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
		// A brace before a quote or a blank is JSON's own: answers are often
		// JSON, and no reference begins so.
		if isLiteralBrace(after) {
			t.parts = append(t.parts, Part{Literal: "{"})
			rest = after
			continue
		}
		name, tail, closed := strings.Cut(after, "}")
		if !closed {
			return Template{}, fmt.Errorf("template %q: { without }", text)
		}
		ref, err := ParseRef(name)
		if err != nil {
			return Template{}, fmt.Errorf("template %q: %w", text, err)
		}
		t.parts = append(t.parts, Part{Ref: &ref})
		rest = tail
	}
	return t, nil
}

func isLiteralBrace(after string) bool {
	return after != "" && strings.ContainsRune("\"} \t\r\n", rune(after[0]))
}

// ParseRef compiles one reference, as templates write it between braces.
func ParseRef(text string) (Ref, error) {
	base, filters, filtered := strings.Cut(text, "|")
	base, optional := strings.CutSuffix(base, "?")
	ref, err := parseBase(base)
	if err != nil {
		return Ref{}, err
	}
	ref.Optional = optional
	if !filtered {
		return ref, nil
	}
	for name := range strings.SplitSeq(filters, "|") {
		if !slices.Contains(filterNames, Filter(name)) {
			return Ref{}, fmt.Errorf("{%s}: unknown filter %q; known are %s", text, name, join(filterNames))
		}
		ref.Filters = append(ref.Filters, Filter(name))
	}
	if i := slices.Index(ref.Filters, Sign); i >= 0 && i != len(ref.Filters)-1 {
		return Ref{}, fmt.Errorf("{%s}: the filter %s must be the last", text, Sign)
	}
	return ref, nil
}

func parseBase(s string) (Ref, error) {
	kind, name, dotted := strings.Cut(s, ".")
	if dotted && name == "" {
		return Ref{}, fmt.Errorf("reference {%s} has no name after the dot", s)
	}
	switch k := RefKind(kind); {
	case k == RefBody && dotted:
		return Ref{Kind: RefBodyPath, Name: name}, checkPath(name)
	case k == RefHeader && dotted:
		return Ref{Kind: k, Name: name}, checkHeader(name)
	case k == RefQuery && dotted:
		return Ref{Kind: k, Name: name}, nil
	case !dotted && slices.Contains(plainRefs, k):
		return Ref{Kind: k}, nil
	}
	return Ref{}, fmt.Errorf("unknown reference {%s}; known are %s, query.NAME, header.NAME and body.PATH", s, join(plainRefs))
}

// plainRefs are the references without a name.
var plainRefs = []RefKind{RefTimestamp, RefBody, RefMethod, RefURL, RefPath, RefSecret}

// checkPath refuses body paths with a step that no path can take.
func checkPath(path string) error {
	if slices.Contains(strings.Split(path, "."), "") {
		return fmt.Errorf("body path %q has an empty step", path)
	}
	return nil
}

// checkHeader refuses what cannot be a field name (RFC 9110, section 5.6.2).
func checkHeader(name string) error {
	if name == "" {
		return errors.New("a header has no name")
	}
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return fmt.Errorf("%q cannot be a header's name", name)
		}
	}
	return nil
}

// UnmarshalYAML parses a template where a definition holds one.
func (t *Template) UnmarshalYAML(n *yaml.Node) error {
	var text string
	if err := n.Load(&text); err != nil {
		return err
	}
	parsed, err := ParseTemplate(text)
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// String is the template's source.
func (t Template) String() string { return t.text }

// IsZero reports whether there is no text at all.
func (t Template) IsZero() bool { return t.text == "" }

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

// Expand fills the template in. It reports false where a reference that is not
// optional does not resolve.
func (t Template) Expand(lookup Lookup) (string, bool) {
	return Expander{Lookup: lookup}.Expand(t)
}

// Expander fills templates in, in places that need more than a Lookup.
type Expander struct {
	Lookup Lookup
	// Sign is the filter of that name; without it, references that need it do
	// not resolve.
	Sign func(string) (string, bool)
	// Escape, where it is set, is applied to what references give, and not
	// to the template's own text.
	Escape func(string) string
}

// Expand fills t in. It reports false where a reference that is not optional
// does not resolve.
func (e Expander) Expand(t Template) (string, bool) {
	if len(t.parts) == 1 && t.parts[0].Ref != nil { // most templates: no copy
		return e.resolve(*t.parts[0].Ref)
	}
	var b strings.Builder
	for _, p := range t.parts {
		if p.Ref == nil {
			b.WriteString(p.Literal)
			continue
		}
		v, ok := e.resolve(*p.Ref)
		if !ok {
			return "", false
		}
		b.WriteString(v)
	}
	return b.String(), true
}

// resolve is a reference's value after its filters.
func (e Expander) resolve(ref Ref) (string, bool) {
	v, ok := e.Lookup(ref)
	if !ok {
		return "", ref.Optional
	}
	for _, f := range ref.Filters {
		if f != Sign {
			v = f.Apply(v)
			continue
		}
		if e.Sign == nil || !isChallenge(v) {
			return "", false
		}
		if v, ok = e.Sign(v); !ok {
			return "", false
		}
	}
	if e.Escape != nil {
		v = e.Escape(v)
	}
	return v, true
}

// join lists names for an error message.
func join[T ~string](names []T) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return strings.Join(list, ", ")
}
