// SPDX-License-Identifier: Apache-2.0

package yamlfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with a file, and where.
type Problem struct {
	File string `json:"file,omitempty"`
	// Line is 0 where the problem has none.
	Line int `json:"line,omitempty"`
	// Field is the path of the field, for example events[2].fields.amount.
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// Error is file:line: field: message, as compilers write it.
func (p *Problem) Error() string {
	at := p.File
	if p.Line > 0 {
		at += ":" + strconv.Itoa(p.Line)
	}
	parts := slices.DeleteFunc([]string{at, p.Field, p.Message}, func(part string) bool { return part == "" })
	return strings.Join(parts, ": ")
}

// Problem is about the field to which path leads, in mapping keys and list
// indices. A nil File has neither name nor lines.
func (f *File) Problem(message string, path ...any) *Problem {
	line, written, _ := f.find(path)
	name := ""
	if f != nil {
		name = f.Name
	}
	return &Problem{File: name, Line: line, Field: fieldName(written), Message: message}
}

// Problems takes joined errors apart. What is no Problem becomes one of file.
func Problems(file string, err error) []*Problem {
	var p *Problem
	switch several, joined := err.(interface{ Unwrap() []error }); {
	case err == nil:
		return nil
	case joined:
		var all []*Problem
		for _, e := range several.Unwrap() {
			all = append(all, Problems(file, e)...)
		}
		return all
	case errors.As(err, &p):
		return []*Problem{p}
	}
	return []*Problem{{File: file, Message: err.Error()}}
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
