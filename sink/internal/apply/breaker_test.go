// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestConstraintThatRefusesEverythingHoldsThePartitions: somebody adds a
// constraint that no event fulfils. Nothing of the backlog is dead-lettered, and
// without the constraint all of it is applied, once.
func TestConstraintThatRefusesEverythingHoldsThePartitions(t *testing.T) {
	w := newWorld(t)
	w.store.retryAfter = 100 * time.Millisecond
	w.createTopic(t, 2)
	var told atomic.Pointer[fenced.Attempt]
	w.runTelling(t, func(a fenced.Attempt) {
		if a.Err != nil {
			told.Store(&a)
		}
	}, "customer")
	w.produce(t, w.records(t, customersFrom(0, 300)...)...)
	w.await(t, 300)
	w.exec(t, "alter table webhooks.customer add constraint nobody check (false) not valid")
	w.produce(t, w.records(t, customersFrom(300, 700)...)...)
	runtest.Eventually(t, "the third hold in a row", func() bool { a := told.Load(); return a != nil && a.Failures > 2 })
	if a := told.Load(); !errors.As(a.Err, new(*kafka.Hold)) || a.Next.IsZero() {
		t.Errorf("the loop tells %+v", a)
	} else {
		for _, want := range []string{"acme thing.happened", "constraint_violation", "23514", "webhooks.customer", "nobody", "HOOKSTREAM_SINK_DEAD_LETTER_ALL=true", w.kafka.Topics.Events("customer")} {
			if !strings.Contains(a.Err.Error(), want) {
				t.Errorf("%q does not say %q", a.Err, want)
			}
		}
	}
	letters := len(w.letters(t))
	if letters >= breaker.LeastFailures {
		t.Errorf("%d dead letters before the breaker opened", letters)
	}
	w.exec(t, "alter table webhooks.customer drop constraint nobody")
	w.await(t, 1000-letters)
	if n := len(w.letters(t)); n != letters {
		t.Errorf("%d dead letters after %d", n, letters)
	}
	if n := one[int](t, w, "select count(*) from webhooks.customer"); n != 1000-letters {
		t.Errorf("%d rows and %d dead letters, want 1000", n, letters)
	}
	if n := one[int](t, w, "select count(*) from hookstream.deliveries"); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

// TestBreakerHoldsOnlyWhatFails: the batch's other partitions go on.
func TestBreakerHoldsOnlyWhatFails(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint nobody check (false)")
	events := append(customers(30), newEvent("payment", "p", "paid", 1, nil))
	batches := w.batches(t, w.records(t, events...))
	err := w.store.Apply(t.Context(), batches, nil)
	var hold *kafka.Hold
	if !errors.As(err, &hold) || failure.Of(err) != failure.Transient || len(hold.Partitions) != 1 || hold.Partitions[0] != batches[0].Partition || hold.For <= 0 {
		t.Fatalf("Apply() = %#v, want a hold of %s", err, batches[0].Partition)
	}
	must(t, w.store.Apply(t.Context(), batches[1:], nil))
	wantOutcomes(t, w, map[string]string{"paid": "applied"})
	wantLetters(t, w, map[string]reason.Code{})
}

// TestReplaysAreNotHeld: each is there because a person sent it.
func TestReplaysAreNotHeld(t *testing.T) {
	w := newWorld(t)
	w.exec(t, "alter table webhooks.customer add constraint nobody check (false)")
	records := w.records(t, customers(30)...)
	dead := map[string]reason.Code{}
	for i, r := range records {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.ReplayCount, Value: []byte("1")})
		dead[fmt.Sprintf("e-c%06d", i)] = reason.ConstraintViolation
	}
	w.apply(t, records...)
	wantLetters(t, w, dead)
}

// TestBreakerThatIsOff dead-letters everything.
func TestBreakerThatIsOff(t *testing.T) {
	w := newWorld(t)
	w.store.cfg.DeadLetterAll = true
	w.exec(t, "alter table webhooks.customer add constraint nobody check (false)")
	dead := map[string]reason.Code{}
	var events []*event.Event
	for i := range 50 {
		id := fmt.Sprint("e", i)
		events = append(events, newEvent("customer", fmt.Sprint("c", i%10), id, int64(i), nil))
		dead[id] = reason.ConstraintViolation
	}
	w.applyEvents(t, events...)
	wantOutcomes(t, w, map[string]string{})
	wantLetters(t, w, dead)
}

// TestForeignRecordsAreNotHeld: whoever writes to a topic of ours is no reason to
// stop the events on it, and nothing that is mended in the tables would free them.
func TestForeignRecordsAreNotHeld(t *testing.T) {
	for name, topic := range map[string]func(w *world) string{
		"event topic":  func(w *world) string { return w.kafka.Topics.Events("customer") },
		"replay topic": func(w *world) string { return w.kafka.Topics.SinkReplay },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var records []*kgo.Record
			for i := range 3 * breaker.LeastFailures {
				r := w.record(t, customersFrom(i, 1)[0])
				r.Topic = topic(w)
				switch i % 4 {
				case 0:
					r.Headers = nil
				case 1:
					r.Key = fmt.Append(nil, "key ", i)
				case 2: // all of one type, whose headers are of another event than its value
					other := w.record(t, newEvent("customer", "other", fmt.Sprint("other", i), 1, nil))
					r.Key, r.Headers = other.Key, other.Headers
				case 3:
					r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == header.Entity })
				}
				records = append(records, r)
			}
			good := w.record(t, newEvent("customer", "good", "good", 1, nil))
			good.Topic = topic(w)
			w.apply(t, append(records, good)...)
			wantOutcomes(t, w, map[string]string{"good": "applied"})
			letters := w.letters(t)
			if len(letters) != len(records) {
				t.Errorf("%d dead letters of %d records", len(letters), len(records))
			}
			for _, d := range letters {
				if d.Reason != reason.UndecodableEvent || !strings.Contains(d.Message, "not an event that transform wrote") {
					t.Errorf("%s: %s", d.Reason, d.Message)
				}
			}
		})
	}
}
