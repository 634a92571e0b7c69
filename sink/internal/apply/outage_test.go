// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// wantTransient applies batches, which must fail in a way that passes.
func wantTransient(t *testing.T, w *world, batches []fenced.Batch) {
	t.Helper()
	if err := w.store.Apply(t.Context(), batches, nil); err == nil || failure.Of(err) != failure.Transient {
		t.Fatalf("Apply() = %v, want a Transient error", err)
	}
}

func TestPostgresRestartsInTheMiddle(t *testing.T) {
	server := pgtest.New(t)
	w := newWorldAt(t, server.URL())
	w.applyEvents(t, newEvent("customer", "a", "e1", 1, nil))
	batches := w.batches(t, w.records(t, newEvent("customer", "b", "e2", 2, nil)))
	server.Stop()
	wantTransient(t, w, batches)
	server.Start(t)
	must(t, failure.Retry(t.Context(), failure.DefaultBackoff, func(ctx context.Context) error {
		return w.store.Apply(ctx, batches, nil)
	}, nil))
	wantOutcomes(t, w, map[string]string{"e1": "applied", "e2": "applied"})
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestStandbyIsTransient(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "e1", 1, nil)))
	name := pgx.Identifier{w.pool.Config().ConnConfig.Database}.Sanitize()
	w.exec(t, "alter database "+name+" set default_transaction_read_only = on")
	w.pool.Reset()
	wantTransient(t, w, batches)
	// The failover is over. The pool must not keep the old connections.
	conn, err := pgx.ConnectConfig(t.Context(), w.pool.Config().ConnConfig)
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "set default_transaction_read_only = off")
	must(t, err)
	_, err = conn.Exec(t.Context(), "alter database "+name+" reset default_transaction_read_only")
	must(t, err)
	must(t, w.store.Apply(t.Context(), batches, nil))
	wantOutcomes(t, w, map[string]string{"e1": "applied"})
}

func TestMissingTableIsFatal(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "e1", 1, nil)))
	w.exec(t, "drop table webhooks.customer")
	if err := w.store.Apply(t.Context(), batches, nil); failure.Of(err) != failure.Fatal {
		t.Errorf("Apply() = %v, want a Fatal error", err)
	}
}

func TestMissingPartitionIsFatal(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "e1", 1, nil)))
	w.exec(t, "drop table hookstream.ledger_default")
	if err := w.store.Apply(t.Context(), batches, nil); failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "lacks a partition") {
		t.Errorf("Apply() = %v, want a Fatal error", err)
	}
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestDeadLettersAreWrittenBeforeTheCommit(t *testing.T) {
	w := newWorld(t)
	r := w.record(t, newEvent("customer", "a", "bad", 1, nil))
	r.Value = nil
	batches := w.batches(t, append(w.records(t, newEvent("customer", "a", "good", 2, nil)), r))
	w.store.cfg.Producer.Close() // the broker takes nothing any more
	wantTransient(t, w, batches)
	wantOutcomes(t, w, map[string]string{})
	claims, err := w.store.Claims(t.Context(), []kafka.Partition{batches[0].Partition})
	must(t, err)
	if claims[batches[0].Partition].Next != fenced.NeverRead {
		t.Error("the offset moved past a record that is nowhere")
	}
}

// Two instances apply the same identities at once: one from the event topic,
// one replayed. Each event counts once, and nothing deadlocks for good.
func TestTwoInstancesApplyTheSameEvents(t *testing.T) {
	w := newWorld(t)
	var events []*event.Event
	for i := range 60 {
		events = append(events, newEvent("customer", fmt.Sprint("c", i%7), fmt.Sprint("e", i), int64(i), nil))
	}
	first := w.batches(t, w.records(t, events...))
	replayed := w.records(t, events...)
	for i, r := range replayed {
		d := record.DeadLetter{Stage: record.StageSink, Failed: record.Position{Topic: r.Topic, Offset: int64(i)}, Key: r.Key, Value: r.Value, Headers: r.Headers}
		var err error
		replayed[i], err = d.Replay(w.kafka.Topics.SinkReplay, "again")
		must(t, err)
	}
	second := w.batches(t, replayed)
	other, err := New(w.store.cfg)
	must(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, batches := range [][]fenced.Batch{first, second} {
		wg.Go(func() {
			errs[i] = failure.Retry(t.Context(), failure.DefaultBackoff, func(ctx context.Context) error {
				return []*Store{w.store, other}[i].Apply(ctx, batches, nil)
			}, nil)
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))
	if got := len(w.outcomes(t)); got != len(events) {
		t.Errorf("%d events in the ledger, want %d", got, len(events))
	}
	if got := one[int](t, w, "select count(*) from hookstream.deliveries"); got != len(events) {
		t.Errorf("%d deliveries, want %d", got, len(events))
	}
}
