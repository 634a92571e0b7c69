// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"errors"
	"testing"
)

func TestBudgetEndsAnEndlessLoop(t *testing.T) {
	e, err := compileExpression("def f: f; f")
	if err != nil {
		t.Fatal(err)
	}
	r := runner{ctx: newBudget(t.Context())}
	if _, err := r.value(e); err == nil {
		t.Fatal("an endless loop gave a value")
	}
	if !errors.Is(r.ctx.Err(), errOverBudget) {
		t.Errorf("got %v, want the budget's error", r.ctx.Err())
	}
}

func TestBudgetPassesTheCallersEndOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newBudget(ctx).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's error", err)
	}
}
