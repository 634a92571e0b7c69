// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
)

// createTopic makes the topic of customers.
func (w *world) createTopic(t *testing.T, partitions int32) {
	t.Helper()
	w.createTopicOf(t, "customer", partitions)
}

func (w *world) createTopicOf(t *testing.T, entity string, partitions int32) {
	t.Helper()
	w.broker.CreateTopic(t, partitions, topic.DefaultNames().Events(entity))
}

// run starts the sink's loop on the topic of customers, and stops it when the
// test ends.
func (w *world) run(t *testing.T) {
	t.Helper()
	w.runTelling(t, nil, "customer")
}

// runTelling also tells of failed attempts, and reads the topics of entities.
func (w *world) runTelling(t *testing.T, tell func(fenced.Attempt), entities ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var topics []string
	for _, e := range entities {
		topics = append(topics, w.kafka.Topics.Events(e))
	}
	loop := fenced.New(fenced.Config{
		Kafka: w.kafka, Group: w.broker.Name("test"), Topics: topics, ClientID: "sink",
		MaxRecords: 500, SessionTimeout: 15 * time.Second, DrainTimeout: 10 * time.Second, Log: w.log, Attempts: tell,
	}, w.store)
	done := make(chan error, 1)
	go func() { done <- loop.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
}

func (w *world) produce(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	must(t, w.store.cfg.Producer.ProduceSync(t.Context(), records...).FirstErr())
}

// await waits until n events are in the ledger. A database that is away is
// waited for.
func (w *world) await(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		var got int
		err := w.pool.QueryRow(ctx, "select count(*) from hookstream.ledger").Scan(&got)
		if err == nil && got >= n {
			return
		}
		if failure.Sleep(ctx, 20*time.Millisecond) != nil {
			t.Fatalf("%d events in the ledger, want %d (%v)", got, n, err)
		}
	}
}

// A batch that takes longer than the server allows is halved until it fits.
func TestSlowBatchesAreHalved(t *testing.T) {
	w := newWorld(t)
	w.store.begin = beginSQL(&Config{StatementTimeout: 500 * time.Millisecond}, idleTimeout)
	w.exec(t, `create function public.slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.005); return new; end'`)
	w.exec(t, "create trigger slow before insert on webhooks.customer for each row execute function public.slow()")
	w.createTopic(t, 1)
	w.produce(t, w.records(t, customers(200)...)...) // a second at least
	w.run(t)
	w.await(t, 200)
	if got := one[int](t, w, "select count(distinct applied_at) from hookstream.ledger"); got < 2 {
		t.Errorf("all came in %d transaction, which must have taken too long", got)
	}
}

// TestPostgresStoppedUnderLoad stops Postgres for HOOKSTREAM_TEST_OUTAGE, while
// events go on coming, and says how fast the sink catches up.
func TestPostgresStoppedUnderLoad(t *testing.T) {
	outage := 2 * time.Second
	if s := os.Getenv("HOOKSTREAM_TEST_OUTAGE"); s != "" {
		var err error
		outage, err = time.ParseDuration(s)
		must(t, err)
	}
	server := pgtest.New(t)
	w := newWorldAt(t, server.URL())
	w.createTopic(t, 4)
	w.run(t)
	sent := 0
	load := func(d time.Duration) { // about 1,000 a second
		for until := time.Now().Add(d); time.Now().Before(until); {
			w.produce(t, w.records(t, customersFrom(sent, 50)...)...)
			sent += 50
			must(t, failure.Sleep(t.Context(), 50*time.Millisecond))
		}
	}
	load(time.Second)
	w.await(t, 1)
	server.Stop()
	before := sent
	load(outage)
	server.Start(t)
	started := time.Now()
	w.await(t, sent)
	took := time.Since(started)
	t.Logf("Postgres was away for %s; %d events had come, and were applied %s after it was back: %.0f a second",
		outage, sent-before, took.Round(time.Millisecond), float64(sent-before)/took.Seconds())
	if got := len(w.outcomes(t)); got != sent {
		t.Errorf("%d events in the ledger, want %d", got, sent)
	}
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}
