// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Problem is one thing wrong with a definition, and where.
type Problem struct {
	File string
	// Line is 0 where the problem has none.
	Line int
	// Field is the path of the field, for example events[2].fields.amount.
	Field   string
	Message string
}

// Error is file:line: field: message, as compilers write it.
func (p *Problem) Error() string {
	at := p.File
	if p.Line > 0 {
		at += ":" + strconv.Itoa(p.Line)
	}
	if p.Field != "" {
		at += ": " + p.Field
	}
	return at + ": " + p.Message
}

// positions finds the line of a field in a definition's file.
type positions struct{ root *yaml.Node }

// at walks a path of mapping keys (string) and list indices (int). It returns the
// line of the deepest part that exists, and the path as the file writes it: the
// index is left out where the file has one item in place of a list.
func (p positions) at(path ...any) (line int, written []any) {
	n := p.top()
	if n != nil {
		line = n.Line
	}
	for _, step := range path {
		if i, isIndex := step.(int); isIndex && i == 0 && n != nil && n.Kind != yaml.SequenceNode {
			continue
		}
		written = append(written, step)
		if n = child(n, step); n != nil {
			line = n.Line
		}
	}
	return line, written
}

// has reports whether the file has something at the path.
func (p positions) has(path ...any) bool {
	n := p.top()
	for _, step := range path {
		if i, isIndex := step.(int); isIndex && i == 0 && n != nil && n.Kind != yaml.SequenceNode {
			continue
		}
		n = child(n, step)
	}
	return n != nil
}

func (p positions) top() *yaml.Node {
	if n := p.root; n == nil || n.Kind != yaml.DocumentNode || len(n.Content) == 0 {
		return n
	}
	return p.root.Content[0]
}

func child(n *yaml.Node, step any) *yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch step := step.(type) {
	case string:
		if n.Kind != yaml.MappingNode {
			return nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step]
		}
	}
	return nil
}

func fieldName(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		}
	}
	return b.String()
}

// Problem makes an error that names the file, line and field of d. Path holds
// mapping keys and list indices.
func (d *Definition) Problem(message string, path ...any) error {
	return ProblemIn(d.File, d.position.root, message, path...)
}

// ProblemIn is a Problem of any YAML file: root is its node, and path leads to the
// field, in mapping keys and list indices.
func ProblemIn(file string, root *yaml.Node, message string, path ...any) *Problem {
	line, written := positions{root}.at(path...)
	return &Problem{File: file, Line: line, Field: fieldName(written), Message: message}
}

// problems collects what a validation finds.
type problems struct {
	def  *Definition
	errs []error
}

func (p *problems) add(message string, path ...any) {
	p.errs = append(p.errs, p.def.Problem(message, path...))
}

func (p *problems) err() error { return errors.Join(p.errs...) }
