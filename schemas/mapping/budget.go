// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"errors"
)

// maxSteps bounds the jq instructions of one event's expressions together. The
// largest mapping takes some ten thousand; an endless loop ends after about a
// second. It is a count and not a time, because the verdict is final: a machine
// that stalls must not turn a good webhook into a dead letter.
const maxSteps = 10_000_000

var errOverBudget = errors.New("expression did not end")

// budget is a context that ends after maxSteps instructions: gojq asks for Done
// before each of them. It is for one goroutine.
type budget struct {
	context.Context
	steps int
	over  chan struct{}
}

func newBudget(ctx context.Context) *budget { return &budget{Context: ctx, steps: maxSteps} }

// Done implements context.Context and counts a step.
func (b *budget) Done() <-chan struct{} {
	if b.steps--; b.steps >= 0 {
		return b.Context.Done()
	}
	if b.over == nil {
		b.over = make(chan struct{})
		close(b.over)
	}
	return b.over
}

// Err implements context.Context.
func (b *budget) Err() error {
	if b.steps < 0 {
		return errOverBudget
	}
	return b.Context.Err()
}
