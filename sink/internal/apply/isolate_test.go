// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestLockedRowHoldsUpItsPartitionOnly: while somebody's transaction holds a row of
// one table, the other tables get their events; afterwards all are there.
func TestLockedRowHoldsUpItsPartitionOnly(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		server string
		says   string
	}{
		"lock timeout":      {Config{StatementTimeout: 2 * time.Second}, "lock_timeout=0", "lock timeout"},
		"statement timeout": {Config{StatementTimeout: 500 * time.Millisecond}, "lock_timeout=1min", "statement timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldAt(t, pgtest.New(t, c.server).URL())
			w.store.begin = beginSQL(&c.cfg, idleTimeout)
			w.createTopic(t, 1)
			w.createTopicOf(t, "issue", 1)
			told := &reasons{}
			w.runTelling(t, told.note, "customer", "issue")
			w.produce(t, w.records(t, newEvent("customer", "held", "first", 1, nil))...)
			w.await(t, 1)

			lock := hold(t, w)
			w.produce(t, w.records(t, append(customers(20), newEvent("customer", "held", "second", 30, nil))...)...)
			w.produce(t, w.records(t, issues(0, 50)...)...)
			w.awaitOf(t, "issue", 50)
			runtest.Eventually(t, "the partition with the lock to be set aside", func() bool {
				return told.has("1 partitions wait: ", "customer", c.says)
			})
			w.produce(t, w.records(t, issues(50, 100)...)...)
			w.awaitOf(t, "issue", 100)
			if outcome, ok := w.outcomes(t)["second"]; ok {
				t.Errorf("the event of the locked row is %s", outcome)
			}

			must(t, lock.Rollback(t.Context()))
			w.await(t, 122)
			for id, outcome := range w.outcomes(t) {
				if outcome != "applied" {
					t.Errorf("%s is %s", id, outcome)
				}
			}
			if n := len(w.letters(t)); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// TestRowThatATriggerRefusesHoldsUpItsPartitionOnly: whatever a trigger answers for one
// row that may pass, alone, among rows that are copied, and next to one that is refused
// for good.
func TestRowThatATriggerRefusesHoldsUpItsPartitionOnly(t *testing.T) {
	for name, c := range map[string]struct{ does, says string }{
		"raise_exception":       {"raise exception 'not this one'", "check_violation"},
		"a code of its own":     {"raise exception using errcode = 'HS001'", "HS001"},
		"serialization_failure": {"raise serialization_failure", "40001"},
		"query_canceled":        {"perform pg_sleep(60)", "57014"},
		"undefined_table":       {"perform 1 from nowhere", "a trigger's function fails"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.store.begin = beginSQL(&Config{StatementTimeout: time.Second}, idleTimeout)
			w.store.retryAfter = 100 * time.Millisecond
			w.exec(t, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
			w.exec(t, `create function public.refuse() returns trigger language plpgsql as $$ begin
				if new.id = 'held' then `+c.does+`; end if;
				return new;
			end $$`)
			w.exec(t, "create trigger refuse before insert on webhooks.customer for each row execute function public.refuse()")
			w.createTopicOf(t, "customer", 1)
			w.createTopicOf(t, "issue", 1)
			told := &reasons{}
			debtor := newEvent("customer", "debtor", "debt", 500, map[string]any{"balance": int64(-1)})
			w.produce(t, w.records(t, append(customers(200), newEvent("customer", "held", "held", 300, nil), debtor)...)...)
			w.produce(t, w.records(t, issues(0, 50)...)...)
			w.runTelling(t, told.note, "customer", "issue")
			w.awaitOf(t, "issue", 50)
			runtest.Eventually(t, "the partition to be set aside", func() bool {
				return told.has("1 partitions wait: ", "customer", c.says)
			})
			w.produce(t, w.records(t, issues(50, 100)...)...)
			w.awaitOf(t, "issue", 100)
			if outcome, ok := w.outcomes(t)["held"]; ok {
				t.Errorf("the event of the row is %s", outcome)
			}
			w.exec(t, "drop trigger refuse on webhooks.customer")
			w.await(t, 301)
			runtest.Eventually(t, "the debtor's dead letter", func() bool { return len(w.letters(t)) > 0 })
			wantLetters(t, w, map[string]reason.Code{"debt": reason.ConstraintViolation})
		})
	}
}

// awaitOf waits until n events of an entity are in the ledger.
func (w *world) awaitOf(t *testing.T, entity string, n int) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("%d events of %s", n, entity), func() bool {
		return one[int](t, w, "select count(*) from hookstream.events where entity = $1", entity) == n
	})
}

func issues(from, to int) (events []*event.Event) {
	for i := from; i < to; i++ {
		id := fmt.Sprint("i", i)
		events = append(events, newEvent("issue", id, "e-"+id, int64(i), nil))
	}
	return events
}

// reasons are why attempts failed.
type reasons struct {
	mu  sync.Mutex
	all []string
}

func (r *reasons) note(a fenced.Attempt) {
	if a.Err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, fmt.Sprint(a.Partitions, a.Err))
}

// has reports whether one of them has all parts.
func (r *reasons) has(parts ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reason := range r.all {
		found := true
		for _, p := range parts {
			found = found && strings.Contains(reason, p)
		}
		if found {
			return true
		}
	}
	return false
}
