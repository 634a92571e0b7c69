// SPDX-License-Identifier: Apache-2.0

package failure

import (
	"context"
	"time"
)

// Tries is how often something was tried, with the try that is being made.
type Tries struct {
	// Count is at least 1.
	Count int
	// Since is when the first of several tries failed; zero is not known, or
	// none failed.
	Since time.Time
}

// Once is a first try.
var Once = Tries{Count: 1}

type triesKey struct{}

// WithTries tells what runs in ctx the how-manyth try it is.
func WithTries(ctx context.Context, t Tries) context.Context {
	return context.WithValue(ctx, triesKey{}, t)
}

// TriesOf is what WithTries said of ctx. It reports false, with Once, where nobody
// did.
func TriesOf(ctx context.Context) (Tries, bool) {
	if t, ok := ctx.Value(triesKey{}).(Tries); ok {
		return t, true
	}
	return Once, false
}
