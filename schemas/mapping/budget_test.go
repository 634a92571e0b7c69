// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"context"
	"errors"
	"testing"
)

func TestBudgetPassesTheCallersEndOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newBudget(ctx).Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the caller's error", err)
	}
}
