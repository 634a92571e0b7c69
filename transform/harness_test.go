// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

const (
	// childVariable holds the configuration of a process that only runs the
	// service, to be killed.
	childVariable = "HOOKSTREAM_TEST_TRANSFORM"
	definitions   = "testdata/definitions"
)

func TestMain(m *testing.M) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(child(text))
	}
	os.Exit(m.Run())
}

func child(text string) int {
	var cfg transform.Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		panic(err)
	}
	cfg.Registry.Password, cfg.Kafka.SASLPassword = "", "" // JSON hides that there are none
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := transform.New(cfg, runtest.Logger())
	if err == nil {
		err = s.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// env is a broker and a registry, with names of this test's own.
type env struct {
	broker   *kafkatest.Broker
	kafka    kafka.Config
	group    string
	registry string
	client   *kgo.Client
	// session and transaction are timeouts, as short as the broker allows.
	session, transaction time.Duration
}

func newEnv(t *testing.T, partitions int32) *env {
	t.Helper()
	reg := srfake.New()
	t.Cleanup(reg.Close)
	b := kafkatest.New(t, kfake.GroupMinSessionTimeout(time.Second))
	e := &env{broker: b, group: b.Name("transform"), registry: reg.URL(), session: 6 * time.Second, transaction: 10 * time.Second}
	if b.Embedded() {
		e.session, e.transaction = 2*time.Second, 4*time.Second
	}
	e.kafka = kafka.Config{
		Brokers: b.Addresses, Topics: b.Topics(), Partitions: partitions, Replication: -1, MaxMessageBytes: 1 << 20,
		Retention: time.Hour, DedupWindow: time.Hour,
	}
	var err error
	if e.client, err = e.kafka.NewClient("test", runtest.Logger()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.client.Close)
	if err := e.kafka.EnsureTopics(t.Context(), e.client, runtest.Logger()); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *env) config(t *testing.T, instance string) transform.Config {
	t.Helper()
	var cfg transform.Config
	if err := transform.Info.Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.AdminAddress = ""
	cfg.Kafka = e.kafka
	cfg.Group = e.group
	cfg.Registry.URL = e.registry
	cfg.DefinitionsDir = definitions
	cfg.InstanceID = instance
	cfg.SessionTimeout = e.session
	cfg.TransactionTimeout = e.transaction
	return cfg
}

func start(t *testing.T, cfg transform.Config) *runtest.Run {
	t.Helper()
	s, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	return runtest.Start(t, s.Run)
}

// payment is webhook number n of acme, about one of ten keys.
func payment(n int) *record.Webhook {
	return acme("payment.updated", fmt.Sprintf("evt-%d", n), fmt.Sprintf("key-%d", n%10), fmt.Sprintf(`"amount": %d, "currency": "EUR"`, n))
}

var created = time.Now().Add(-time.Hour).Truncate(time.Second).UTC()

// acme is a webhook of the tests' own provider, with further fields as JSON.
func acme(eventType, id, key, fields string) *record.Webhook {
	return &record.Webhook{
		Tenant: "default", Provider: "acme", EventID: id, IdentitySource: identity.ProviderID,
		EventType: eventType, BusinessKey: key, OccurredAt: created, ReceivedAt: time.Now().UTC().Truncate(time.Microsecond),
		CorrelationID: "corr-" + id, ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"id": %q, "type": %q, "key": %q, "created": %d, %s}`, id, eventType, key, created.Unix(), fields),
	}
}

// send produces webhooks as ingest does and returns their records.
func (e *env) send(t *testing.T, webhooks ...*record.Webhook) []*kgo.Record {
	t.Helper()
	var rs []*kgo.Record
	for _, w := range webhooks {
		rs = append(rs, w.Record(e.kafka.Topics.Raw))
	}
	e.produce(t, rs...)
	return rs
}

func (e *env) produce(t *testing.T, rs ...*kgo.Record) {
	t.Helper()
	if err := e.client.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// payments sends the webhooks from..to-1.
func (e *env) payments(t *testing.T, from, to int) {
	t.Helper()
	var ws []*record.Webhook
	for n := from; n < to; n++ {
		ws = append(ws, payment(n))
	}
	e.send(t, ws...)
}

// drained waits until everything that was sent is processed.
func (e *env) drained(t *testing.T) {
	t.Helper()
	runtest.Eventually(t, "the whole raw topic to be processed", func() bool { return e.done(t) })
}

// done reports whether the group has committed everything that was sent.
func (e *env) done(t *testing.T) bool {
	t.Helper()
	admin := kadm.NewClient(e.client)
	ends, err := admin.ListEndOffsets(t.Context(), e.kafka.Topics.Raw)
	if err != nil {
		t.Fatal(err)
	}
	offsets, err := admin.FetchOffsets(t.Context(), e.group)
	if err != nil {
		return false // no coordinator yet
	}
	done := true
	ends.Each(func(end kadm.ListedOffset) {
		at, ok := offsets.Lookup(end.Topic, end.Partition)
		done = done && (end.Offset == 0 || ok && at.At >= end.Offset)
	})
	return done
}

// published is a record of an event topic, decoded.
type published struct {
	*kgo.Record
	envelope *record.Event
	event    *event.Event
}

// events reads every committed event, with a consumer and a decoder of its own.
func (e *env) events(t *testing.T) []published {
	t.Helper()
	client, err := sr.NewClient(sr.URLs(e.registry))
	if err != nil {
		t.Fatal(err)
	}
	decoder := registry.NewDecoder(client)
	var all []published
	for _, entity := range event.Names() {
		for _, r := range e.read(t, e.kafka.Topics.Events(entity)) {
			envelope, err := record.ParseEvent(r)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := decoder.Decode(t.Context(), entity, r.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, published{r, envelope, ev})
		}
	}
	return all
}

func (e *env) deadLetters(t *testing.T) []*record.DeadLetter {
	t.Helper()
	var all []*record.DeadLetter
	for _, r := range e.read(t, e.kafka.Topics.DeadLetters) {
		d, err := record.ParseDeadLetter(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func (e *env) read(t *testing.T, topic string) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runtest.Patience)
	defer cancel()
	var all []*kgo.Record
	if err := e.kafka.ReadToEnd(ctx, "test-reader", runtest.Logger(), kafka.Partitions{topic: nil}, func(r *kgo.Record) error {
		all = append(all, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantPayments checks that the events 0..n-1 came out once each, in the order
// of their raw records within a key, and that nothing was dead-lettered.
func (e *env) wantPayments(t *testing.T, n int) {
	t.Helper()
	times := map[string]int{}
	offset := map[string]int64{}
	for _, p := range e.events(t) {
		times[p.envelope.EventID]++
		if last, seen := offset[string(p.Key)]; seen && p.event.Meta.RawOffset <= last {
			t.Errorf("event %s of raw offset %d came after offset %d of its key", p.envelope.EventID, p.event.Meta.RawOffset, last)
		}
		offset[string(p.Key)] = p.event.Meta.RawOffset
	}
	for i := range n {
		if got := times[fmt.Sprintf("evt-%d", i)]; got != 1 {
			t.Errorf("event %d came %d times", i, got)
		}
	}
	if len(times) != n {
		t.Errorf("%d different events, want %d", len(times), n)
	}
	for _, d := range e.deadLetters(t) {
		t.Errorf("dead letter %s: %s: %s", d.ID(), d.Reason, d.Message)
	}
}
