// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
)

// expression is one compiled jq expression.
type expression struct{ filter filter }

// compileExpression compiles a jq expression and adds to shape what it reads of the
// body.
func compileExpression(source string, shape *body.Shape) (*expression, error) {
	if strings.Contains(source, budgetVariable) {
		return nil, errBudgetNamed
	}
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("jq does not parse: %w", err)
	}
	// What it may not do, and names that it does not define, are found in the whole.
	if _, err := compileBounded(source, []string{"$type", "$headers"}); err != nil {
		return nil, err
	}
	c := compiler{}
	c.declare("$type", nil)
	c.declare("$headers", nil)
	f, err := c.query(query, shape)
	if err != nil {
		return nil, fmt.Errorf("jq does not compile: %w", err)
	}
	f.demand()
	return &expression{f}, nil
}

// compileBounded compiles an expression for gojq, with the budget in front of its
// variables.
func compileBounded(source string, variables []string) (*gojq.Code, error) {
	query, err := gojq.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("jq does not parse: %w", err)
	}
	regexps, err := bound(query)
	if err != nil {
		return nil, err
	}
	options := append([]gojq.CompilerOption{gojq.WithVariables(append([]string{budgetVariable}, variables...)), regexps.option()}, functions...)
	code, err := gojq.Compile(query, options...)
	if err != nil {
		return nil, fmt.Errorf("jq does not compile: %w", err)
	}
	return code, nil
}

// runner evaluates expressions over one webhook.
type runner struct {
	env   env
	input any
}

func newRunner(b *budget, input any, eventType string, headers map[string]any) *runner {
	return &runner{env: env{budget: b, vars: []any{eventType, headers}}, input: input}
}

var (
	errNone = errors.New("gives no value")
	errMany = errors.New("gives more than one value")
)

// value runs an expression that must give exactly one value.
func (r *runner) value(e *expression) (any, error) {
	v, err := e.filter.only(&r.env, r.input)
	b := r.env.budget
	if err == nil { // whoever takes the value reads all of it
		err = b.spend(size(v, b.bytes))
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	if err != nil && !errors.Is(err, errNone) && !errors.Is(err, errMany) {
		return nil, explain(err)
	}
	return v, err
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
