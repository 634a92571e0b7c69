// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"fmt"
)

// What the expressions of one event may use together. Both are counts and not a
// time or the heap's size, because the verdict is final: a machine that stalls or
// is short of memory must not turn a good webhook into a dead letter.
const (
	// maxSteps bounds jq instructions and the elements that are iterated over.
	// The largest mapping takes some thousands.
	maxSteps = 1_000_000
	// maxBytes bounds what functions read and write, by an estimate that is
	// made before they run. What is alive at once is less.
	maxBytes = 64 << 20
)

// exceededError says which bound was exceeded.
type exceededError string

func (e exceededError) Error() string { return string(e) }

var (
	errSteps = exceededError(fmt.Sprintf("did not end within %d steps", maxSteps))
	errBytes = exceededError(fmt.Sprintf("needs more than %d MiB", maxBytes>>20))
)

// ended is the Done channel of a budget that is used up.
var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// budget is the context of an evaluation. It ends when a bound is exceeded: gojq
// asks for Done before each instruction, so no try in an expression goes on after
// it. It is for one goroutine.
type budget struct {
	context.Context
	steps, bytes int
	exceeded     error
}

func newBudget(ctx context.Context) *budget {
	return &budget{Context: ctx, steps: maxSteps, bytes: maxBytes}
}

// Done implements context.Context and counts a step.
func (b *budget) Done() <-chan struct{} {
	if b.step() != nil {
		return ended
	}
	return b.Context.Done()
}

// Err implements context.Context.
func (b *budget) Err() error {
	if b.exceeded != nil {
		return b.exceeded
	}
	return b.Context.Err()
}

// step counts one step of an evaluation.
func (b *budget) step() error {
	if b.steps--; b.steps < 0 && b.exceeded == nil {
		b.exceeded = errSteps
	}
	return b.exceeded
}

// spend takes n bytes.
func (b *budget) spend(n int) error {
	if b.bytes -= n; b.bytes < 0 && b.exceeded == nil {
		b.exceeded = errBytes
	}
	return b.exceeded
}
