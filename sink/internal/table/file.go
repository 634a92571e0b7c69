// SPDX-License-Identifier: Apache-2.0

package table

import (
	"errors"
	"fmt"
	"os"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/stage/failure"
)

// Problem is one thing wrong with a tables file, and where.
type Problem struct {
	File string
	Line int
	// Field is the path of the field, for example payment.indexes[1].using.
	Field   string
	Message string
}

// Error is file:line: field: message, as compilers write it.
func (p *Problem) Error() string {
	if p.Field == "" {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s: %s", p.File, p.Line, p.Field, p.Message)
}

// Load derives the table of every entity. File, unless "", is a YAML file of
// layouts by entity; schema is that of the tables whose layout names none. What
// is wrong with the file are Problems, in a Fatal error.
func Load(schema, file string) ([]*Table, error) {
	if file == "" {
		return derive(schema, nil)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, failure.NewFatal("HOOKSTREAM_TABLES_FILE: %w", err)
	}
	tables, err := parse(schema, file, data)
	if err != nil {
		return nil, failure.NewFatal("%w", err)
	}
	return tables, nil
}

func parse(schema, file string, data []byte) ([]*Table, error) {
	var root yaml.Node
	if err := yaml.Load(data, &root); err != nil {
		return nil, syntaxProblem(file, err)
	}
	layouts := map[string]Layout{}
	if err := root.Load(&layouts, yaml.WithKnownFields()); err != nil {
		return nil, syntaxProblem(file, err)
	}
	c := checker{file: file, root: &root}
	c.check(schema, layouts)
	if err := errors.Join(c.problems...); err != nil {
		return nil, err
	}
	return derive(schema, layouts)
}

func derive(schema string, layouts map[string]Layout) ([]*Table, error) {
	var all []*Table
	for _, e := range event.Entities() {
		l := layouts[e.Name]
		if l.Schema == "" {
			l.Schema = schema
		}
		t, err := New(l, e)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// syntaxProblem gives what the YAML library noticed its line.
func syntaxProblem(file string, err error) error {
	var list *yaml.LoadErrors
	if errors.As(err, &list) {
		errs := make([]error, len(list.Errors))
		for i, e := range list.Errors {
			errs[i] = &Problem{File: file, Line: max(1, e.Mark.Line), Message: e.Message}
		}
		return errors.Join(errs...)
	}
	var one *yaml.LoadError
	if errors.As(err, &one) {
		return &Problem{File: file, Line: max(1, one.Mark.Line), Message: one.Message}
	}
	return &Problem{File: file, Line: 1, Message: err.Error()}
}
