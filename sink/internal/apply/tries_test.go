// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/tracing"
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

// TestALineOfTheSinkLeadsToItsTransactions: the sink's own with its attempt, and the
// one of the event, which its ledger has too.
func TestALineOfTheSinkLeadsToItsTransactions(t *testing.T) {
	w := newWorld(t)
	var lines bytes.Buffer
	w.store.cfg.Log = slog.New(tracing.LogHandler(slog.NewJSONHandler(&lines, nil)))
	w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
	bad := w.record(t, newEvent("customer", "c", "e", 1, map[string]any{"balance": int64(-1)}))
	(*header.List)(&bad.Headers).Put(header.TransactionID, []byte("transform-1/a-7"))
	batches := w.batches(t, []*kgo.Record{bad})
	ctx, traced := tracing.NewConsumer("test", "test").Start(t.Context(), "sink/b-3", 2, batches[0].Records)
	must(t, w.store.Apply(ctx, batches, nil))
	traced.End(ctx, nil)
	var said map[string]any
	must(t, json.Unmarshal(lines.Bytes(), &said))
	for name, want := range map[string]any{
		"event_id": "e", "tenant": "default", "correlation_id": "c-e",
		"event_transaction_id": "transform-1/a-7", "transaction_id": "sink/b-3", "attempt": 2.0,
	} {
		if said[name] != want {
			t.Errorf("%s is %v, want %v", name, said[name], want)
		}
	}
}
