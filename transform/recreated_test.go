// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"testing"

	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestTopicsAreMadeAnew: each topic is deleted and created again under a running
// service. What comes after that is processed, once.
func TestTopicsAreMadeAnew(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(topic.Names) string{
		"raw":          func(n topic.Names) string { return n.Raw },
		"events":       func(n topic.Names) string { return n.Events("payment") },
		"dedup":        func(n topic.Names) string { return n.Dedup },
		"dead letters": func(n topic.Names) string { return n.DeadLetters },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t, 2)
			start(t, e.config(t, "a"))
			e.payments(t, 0, 50)
			e.drained(t)
			e.broker.DeleteTopic(t, of(e.kafka.Topics))
			if err := e.kafka.EnsureTopics(t.Context(), e.client, runtest.Logger()); err != nil {
				t.Fatal(err)
			}
			e.client.PurgeTopicsFromClient(of(e.kafka.Topics))
			// Fewer than there were, so that old offsets would be beyond the log.
			e.payments(t, 50, 70)
			runtest.Eventually(t, "the new webhooks' events", func() bool { return e.published(t, 50, 70) == 20 })
			e.payments(t, 50, 70)
			e.send(t, acme("payment.updated", "evt-bad", "key-1", `"amount": "none", "currency": "EUR"`))
			runtest.Eventually(t, "a dead letter", func() bool { return len(e.deadLetters(t)) == 1 })
			if n := e.published(t, 50, 70); n != 20 {
				t.Errorf("%d events of 20 webhooks", n)
			}
		})
	}
}

// published counts the events of payments from..to-1.
func (e *env) published(t *testing.T, from, to int) (n int) {
	t.Helper()
	for _, p := range e.events(t) {
		for i := from; i < to; i++ {
			if p.event.Meta.EventID == payment(i).EventID {
				n++
			}
		}
	}
	return n
}
