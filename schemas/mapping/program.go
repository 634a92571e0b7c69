// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"fmt"
	"strings"

	"github.com/itchyny/gojq"
)

// Program is a jq program that comes from outside and turns one JSON value into
// another. It may do what a mapping may, within the same bounds.
type Program struct{ code *gojq.Code }

// CompileProgram compiles a jq program. The error says what does not parse, or what
// has no bound and may not be used.
func CompileProgram(source string) (*Program, error) {
	if strings.Contains(source, budgetVariable) {
		return nil, errBudgetNamed
	}
	code, err := compileBounded(source, nil)
	if err != nil {
		return nil, err
	}
	return &Program{code}, nil
}

// Run gives the one value that the program makes of input. The error never quotes
// the input: where the program gives no value or several, or needs too much, it says
// so, and else what failed on values of which types.
func (p *Program) Run(ctx context.Context, input any) (any, error) {
	b := newBudget(ctx)
	values := p.code.RunWithContext(b, input, b) //nolint:contextcheck // the budget is the context
	v, ok := values.Next()
	if ok {
		if err := p.failed(b, v); err != nil {
			return nil, err
		}
		if again, more := values.Next(); more {
			if err := p.failed(b, again); err != nil {
				return nil, err
			}
			return nil, errMany
		}
	}
	err := b.spend(size(v, b.bytes)) // whoever takes the value reads all of it
	if b.Err() != nil {
		err = b.Err()
	}
	if err == nil && !ok {
		err = errNone
	}
	return v, err
}

func (p *Program) failed(b *budget, v any) error {
	err, failed := v.(error)
	switch {
	case b.Err() != nil:
		return b.Err()
	case failed:
		return explain(err)
	}
	return nil
}

var errBudgetNamed = fmt.Errorf("jq uses %s, which is not possible here", budgetVariable)
