// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/itchyny/gojq"
)

// expression is one compiled jq expression.
type expression struct{ code *gojq.Code }

// impure names the jq functions that depend on more than their input or end
// the program.
var impure = map[string]bool{
	"now": true, "localtime": true, "strflocaltime": true, "env": true, "$ENV": true,
	"input": true, "inputs": true, "input_filename": true, "input_line_number": true,
	"debug": true, "stderr": true, "halt": true, "halt_error": true,
}

func compileExpression(source string) (*expression, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("jq does not parse: %w", err)
	}
	if names := calls(reflect.ValueOf(query)); len(names) > 0 {
		return nil, fmt.Errorf("jq uses %s, which a mapping may not", strings.Join(names, ", "))
	}
	code, err := gojq.Compile(query,
		gojq.WithVariables([]string{"$type", "$headers"}),
		gojq.WithFunction("minor_units", 1, 1, minorUnits),
	)
	if err != nil {
		return nil, fmt.Errorf("jq does not compile: %w", err)
	}
	return &expression{code}, nil
}

// calls walks a parsed query and lists the impure functions in it. The syntax
// tree has two dozen node types; reflection visits them all alike.
func calls(v reflect.Value) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		var names []string
		if f, ok := v.Interface().(*gojq.Func); ok && impure[f.Name] {
			names = append(names, f.Name)
		}
		return append(names, calls(v.Elem())...)
	case reflect.Struct:
		var names []string
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				names = append(names, calls(v.Field(i))...)
			}
		}
		return names
	case reflect.Slice:
		var names []string
		for i := range v.Len() {
			names = append(names, calls(v.Index(i))...)
		}
		return names
	}
	return nil
}

// runner evaluates expressions over one webhook.
type runner struct {
	ctx       context.Context //nolint:containedctx // lives for one Map call
	input     any
	eventType string
	headers   map[string]any
}

// value runs an expression that must give exactly one value.
func (r *runner) value(e *expression) (any, error) {
	iter := e.code.RunWithContext(r.ctx, r.input, r.eventType, r.headers)
	v, ok := iter.Next()
	if !ok {
		return nil, errors.New("gives no value")
	}
	if err, isErr := v.(error); isErr {
		return nil, r.explain(err)
	}
	if next, more := iter.Next(); more {
		if err, isErr := next.(error); isErr {
			return nil, r.explain(err)
		}
		return nil, errors.New("gives more than one value")
	}
	return v, nil
}

// explain keeps the body out of messages. gojq quotes the values that an
// operation failed on, after a colon, in parentheses, or after "applied to".
func (r *runner) explain(err error) error {
	if errors.Is(r.ctx.Err(), errOverBudget) {
		return fmt.Errorf("did not end within %d steps", maxSteps)
	}
	message := err.Error()
	if i := strings.IndexAny(message, ":("); i >= 0 {
		message = message[:i]
	}
	message, _, _ = strings.Cut(message, " cannot be applied to")
	return fmt.Errorf("jq fails: %s", strings.TrimSpace(message))
}

func (r *runner) bool(e *expression) (bool, error) {
	if e == nil {
		return false, nil
	}
	v, err := r.value(e)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, typeError("a boolean", v)
	}
	return b, nil
}

func (r *runner) string(e *expression) (string, error) {
	v, err := r.value(e)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok || s == "" {
		return "", typeError("a string that is not empty", v)
	}
	return s, nil
}

func (r *runner) field(f fieldExpression) (any, error) {
	v, err := r.value(f.expr)
	if err != nil || v == nil {
		return nil, err
	}
	return coerce(f.field.Kind, v)
}
