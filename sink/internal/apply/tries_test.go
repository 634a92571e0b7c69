// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"testing"
)

// TestADeadLetterSaysHowOftenItsRecordWasTried, and since when, also where what
// failed first was something else.
func TestADeadLetterSaysHowOftenItsRecordWasTried(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	batches := w.batches(t, w.records(t, newEvent("customer", "c", "e", 1, map[string]any{"balance": int64(-1)})))
	away, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if err := w.store.Apply(away, batches, nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		batches[0].Attempt++
	}
	must(t, w.store.Apply(t.Context(), batches, nil))
	letters := w.letters(t)
	if len(letters) != 1 || letters[0].Attempts != 3 || !letters[0].FirstFailedAt.Before(letters[0].LastFailedAt) {
		t.Errorf("got %+v", letters)
	}
	if len(w.store.failing) != 0 {
		t.Errorf("failures are remembered for ever: %v", w.store.failing)
	}
}
