// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

func TestMain(m *testing.M) {
	// Of some 30 histories each; -rapid.checks asks for more.
	if err := flag.Set("rapid.checks", "200"); err != nil {
		panic(err)
	}
	pgtest.Main(m.Run)
}

const tablesSchema = "webhooks"

// world is a store with real Postgres, and a broker for dead letters.
type world struct {
	pool    *pgxpool.Pool
	store   *Store
	broker  *kafkatest.Broker
	kafka   *kafka.Config
	encoder *registry.Encoder
	log     *slog.Logger
	claims  map[kafka.Partition]fenced.Claim
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldAt(t, pgtest.Database(t))
}

func newWorldAt(t testing.TB, url string) *world {
	t.Helper()
	broker := kafkatest.New(t)
	broker.CreateTopic(t, 1, topic.DefaultNames().DeadLetters)
	reg := srfake.New()
	t.Cleanup(reg.Close)
	client, err := sr.NewClient(sr.URLs(reg.URL()))
	must(t, err)
	w := &world{
		broker: broker,
		kafka:  &kafka.Config{Brokers: broker.Addresses, MaxMessageBytes: 1 << 20, Topics: broker.Topics()},
		log:    slog.New(slog.DiscardHandler),
		claims: map[kafka.Partition]fenced.Claim{},
	}
	if os.Getenv("HOOKSTREAM_TEST_LOG") != "" {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	w.encoder, err = registry.NewEncoder(t.Context(), client, w.kafka.Topics.Events)
	must(t, err)
	w.pool, err = database.Open(t.Context(), url, 4)
	must(t, err)
	t.Cleanup(w.pool.Close)
	tables, err := table.All(tablesSchema)
	must(t, err)
	keeper := database.Keeper{Pool: w.pool, Tables: tables, Managed: true, Log: w.log}
	must(t, keeper.Ensure(t.Context(), time.Now()))
	producer, err := w.kafka.NewClient("test", w.log, kgo.AllowIdempotentProduceCancellation())
	must(t, err)
	t.Cleanup(producer.Close)
	w.store, err = New(Config{
		Pool: w.pool, Group: "test", Topics: w.kafka.Topics, TopicIDs: func(context.Context) (map[string]string, error) { return nil, nil }, Tables: tables, Schemas: registry.NewDecoder(client),
		Producer: producer, Letters: &deadletter.Writer{Stage: record.StageSink, Topic: w.kafka.Topics.DeadLetters},
		StatementTimeout: 10 * time.Second, Log: w.log,
	})
	must(t, err)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start is the time of the events.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// event makes an event of order n, which is also its raw offset.
func newEvent(entity, id, eventID string, n int64, fields map[string]any) *event.Event {
	at := start.Add(time.Duration(n) * time.Second)
	ev := &event.Event{Entity: entity, ID: id, Meta: event.Meta{
		EventID: eventID, EventType: "thing.happened", Provider: "acme", Tenant: "default", BusinessKey: id,
		OccurredAt: at, ReceivedAt: at.Add(time.Second), CorrelationID: "c-" + eventID,
		Version:  event.Version{Order: at.UnixMicro(), Generation: 1, Offset: n, Revision: 1},
		RawTopic: "hookstream.raw", RawPartition: 3, RawOffset: n,
	}}
	for name, v := range fields {
		ev.SetField(name, v)
	}
	return ev
}

// record is ev as transform publishes it.
func (w *world) record(t testing.TB, ev *event.Event) *kgo.Record {
	t.Helper()
	value, err := w.encoder.Encode(ev)
	must(t, err)
	r := record.EventRecord(w.kafka.Topics.Events(ev.Entity), ev, value)
	r.Timestamp = ev.Meta.ReceivedAt
	return r
}

func (w *world) records(t testing.TB, events ...*event.Event) []*kgo.Record {
	t.Helper()
	var rs []*kgo.Record
	for _, ev := range events {
		rs = append(rs, w.record(t, ev))
	}
	return rs
}

// batches claims the records' topics and gives the records their offsets.
func (w *world) batches(t testing.TB, records []*kgo.Record) []fenced.Batch {
	t.Helper()
	byTopic := map[string]*fenced.Batch{}
	var order []string
	for _, r := range records {
		p := kafka.Partition{Topic: r.Topic}
		b := byTopic[r.Topic]
		if b == nil {
			if _, ok := w.claims[p]; !ok {
				claims, err := w.store.TakeOver(t.Context(), []kafka.Partition{p})
				must(t, err)
				w.claims[p] = claims[p]
			}
			b = &fenced.Batch{Partition: p, Claim: w.claims[p], Attempt: 1}
			byTopic[r.Topic] = b
			order = append(order, r.Topic)
		}
		r.Offset = max(b.Claim.Next, 0) + int64(len(b.Records))
		b.Records = append(b.Records, r)
	}
	var out []fenced.Batch
	for _, topic := range order {
		out = append(out, *byTopic[topic])
	}
	return out
}

// apply applies records as one poll and moves the claims.
func (w *world) apply(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	batches := w.batches(t, records)
	must(t, w.store.Apply(t.Context(), batches, nil))
	w.move(batches)
}

// move moves the claims past batches.
func (w *world) move(batches []fenced.Batch) {
	for i := range batches {
		b := &batches[i]
		w.claims[b.Partition] = fenced.Claim{Epoch: b.Claim.Epoch, Next: b.Next()}
	}
}

func (w *world) applyEvents(t testing.TB, events ...*event.Event) {
	t.Helper()
	w.apply(t, w.records(t, events...)...)
}

func (w *world) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := w.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", sql, err))
	}
}

// one is the only value that a query returns.
func one[T any](t testing.TB, w *world, sql string, args ...any) T {
	t.Helper()
	rows, err := w.pool.Query(t.Context(), sql, args...)
	must(t, err)
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", sql, err))
	}
	return v
}

// outcomes are the ledger's, by event id.
func (w *world) outcomes(t testing.TB) map[string]string {
	t.Helper()
	rows, err := w.pool.Query(t.Context(), "select event_id, outcome from hookstream.events")
	must(t, err)
	out := map[string]string{}
	var id, outcome string
	_, err = pgx.ForEachRow(rows, []any{&id, &outcome}, func() error {
		if _, twice := out[id]; twice {
			t.Errorf("event %s is in the ledger twice", id)
		}
		out[id] = outcome
		return nil
	})
	must(t, err)
	return out
}

// letters are all dead letters.
func (w *world) letters(t testing.TB) []*record.DeadLetter {
	t.Helper()
	var out []*record.DeadLetter
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	must(t, w.kafka.ReadToEnd(ctx, "letters", w.log, kafka.Partitions{w.kafka.Topics.DeadLetters: nil}, func(r *kgo.Record) error {
		d, err := record.ParseDeadLetter(r)
		out = append(out, d)
		return err
	}))
	return out
}
