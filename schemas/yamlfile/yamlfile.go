// SPDX-License-Identifier: Apache-2.0

// Package yamlfile reads the YAML files that people write, and says where in one
// something is wrong.
package yamlfile

import (
	"errors"

	"go.yaml.in/yaml/v4"
)

// File is a file that was read: its name and where everything is in it.
type File struct {
	Name string
	root *yaml.Node
}

// Parse reads data into the value that into points to. Name is the file's, for
// errors. Fields that the value does not have are errors; the error joins
// Problems.
func Parse(name string, data []byte, into any) (*File, error) {
	f := &File{Name: name, root: &yaml.Node{}}
	if err := yaml.Load(data, f.root); err != nil {
		return nil, f.syntax(err)
	}
	if err := f.root.Load(into, yaml.WithKnownFields()); err != nil {
		return nil, f.syntax(err)
	}
	return f, nil
}

// syntax gives what the YAML library noticed its line.
func (f *File) syntax(err error) error {
	var list *yaml.LoadErrors
	if errors.As(err, &list) {
		errs := make([]error, len(list.Errors))
		for i, e := range list.Errors {
			errs[i] = &Problem{File: f.Name, Line: max(1, e.Mark.Line), Message: e.Message}
		}
		return errors.Join(errs...)
	}
	var one *yaml.LoadError
	if errors.As(err, &one) {
		return &Problem{File: f.Name, Line: max(1, one.Mark.Line), Message: one.Message}
	}
	return &Problem{File: f.Name, Line: 1, Message: err.Error()}
}

// Root is the document, for what only its nodes tell, such as comments; nil where
// the file is empty.
func (f *File) Root() *yaml.Node {
	if f == nil || f.root.Kind != yaml.DocumentNode || len(f.root.Content) == 0 {
		return nil
	}
	return f.root
}

// Has reports whether the file has something at the path, which holds mapping
// keys and list indices.
func (f *File) Has(path ...any) bool {
	_, _, found := f.find(path)
	return found
}

// find walks a path. It returns the line of the deepest part that exists, where
// its key is, and the path as the file writes it: the index is left out where the
// file has one item in place of a list.
func (f *File) find(path []any) (line int, written []any, found bool) {
	root := f.Root()
	if root == nil {
		return 0, path, false
	}
	n := root.Content[0]
	line = n.Line
	for _, step := range path {
		if step == 0 && n != nil && n.Kind != yaml.SequenceNode {
			continue
		}
		written = append(written, step)
		var at int
		if n, at = child(n, step); n != nil {
			line = at
		}
	}
	return line, written, n != nil
}

// child is the part of n that a step leads to, and its line; a block begins below
// its key.
func child(n *yaml.Node, step any) (part *yaml.Node, line int) {
	if n == nil {
		return nil, 0
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch step := step.(type) {
	case string:
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1], n.Content[i].Line
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && step < len(n.Content) {
			return n.Content[step], n.Content[step].Line
		}
	}
	return nil, 0
}
