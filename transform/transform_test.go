// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// stripe is a webhook as Stripe sends it.
func stripe(eventType, id, intent string, pending int) *record.Webhook {
	return &record.Webhook{
		Tenant: "shop", Provider: "stripe", EventID: id, IdentitySource: identity.ProviderID, EventType: eventType,
		BusinessKey: intent, OccurredAt: created, ReceivedAt: created.Add(time.Second), CorrelationID: "corr-" + id,
		ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"id": %q, "type": %q, "created": %d, "pending_webhooks": %d,
			"data": {"object": {"id": %q, "object": "payment_intent", "amount": 1980, "currency": "jpy", "status": "succeeded", "livemode": true}}}`,
			id, eventType, created.Unix(), pending, intent),
	}
}

func TestWebhookBecomesAnEvent(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 3)
	raw := stripe("payment_intent.succeeded", "evt_1", "pi_1", 2).Record(e.kafka.Topics.Raw)
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	raw.Headers = append(raw.Headers, kgo.RecordHeader{Key: header.TraceParent, Value: []byte("00-" + traceID + "-b7ad6b7169203331-01")})
	// Produced as it is: the shared client would replace the trace context.
	plain, err := kgo.NewClient(kgo.SeedBrokers(e.kafka.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Close)
	if err := plain.ProduceSync(t.Context(), raw).FirstErr(); err != nil {
		t.Fatal(err)
	}
	start(t, e.config(t, "a"))
	e.drained(t)

	got := e.events(t)
	if len(got) != 1 {
		t.Fatalf("%d events, want 1", len(got))
	}
	p := got[0]
	if want := e.kafka.Topics.Events("payment"); p.Topic != want {
		t.Errorf("topic %s, want %s", p.Topic, want)
	}
	if string(p.Key) != "shop/stripe/pi_1" {
		t.Errorf("key %s", p.Key)
	}
	if murmur := kgo.StickyKeyPartitioner(nil).ForTopic("").Partition(p.Record, 3); int(p.Partition) != murmur {
		t.Errorf("partition %d, want %d by murmur2", p.Partition, murmur)
	}
	wantEnvelope(t, p.envelope)
	wantMeta(t, &p.event.Meta, raw)
	for name, want := range map[string]any{"amount": int64(1980), "currency": "JPY", "status": "succeeded", "test": false} {
		if p.event.Field(name) != want {
			t.Errorf("field %s is %v, want %v", name, p.event.Field(name), want)
		}
	}
	if parent, _ := header.List(p.Headers).Get(header.TraceParent); !strings.Contains(parent, traceID) {
		t.Errorf("traceparent %q does not go on the trace %s", parent, traceID)
	}
}

func wantEnvelope(t *testing.T, e *record.Event) {
	t.Helper()
	for what, v := range map[string][2]string{
		"entity": {e.Entity, "payment"}, "tenant": {e.Tenant, "shop"}, "provider": {e.Provider, "stripe"},
		"event id": {e.EventID, "evt_1"}, "event type": {e.EventType, "payment_intent.succeeded"},
		"business key": {e.BusinessKey, "pi_1"}, "correlation id": {e.CorrelationID, "corr-evt_1"},
		"entity id": {e.EntityID, "pi_1"}, "time": {e.OccurredAt.String(), created.String()},
	} {
		if v[0] != v[1] {
			t.Errorf("%s in the headers is %q, want %q", what, v[0], v[1])
		}
	}
}

func wantMeta(t *testing.T, m *event.Meta, raw *kgo.Record) {
	t.Helper()
	if m.RawTopic != raw.Topic || m.RawPartition != raw.Partition || m.RawOffset != raw.Offset {
		t.Errorf("raw position %s/%d/%d, want %s/%d/%d", m.RawTopic, m.RawPartition, m.RawOffset, raw.Topic, raw.Partition, raw.Offset)
	}
	if want := (event.Version{Order: created.UnixMicro(), Generation: 1, Offset: raw.Offset, Revision: 1}); m.Version != want {
		t.Errorf("version %+v, want %+v", m.Version, want)
	}
	if !m.ReceivedAt.Equal(created.Add(time.Second)) {
		t.Errorf("received at %s", m.ReceivedAt)
	}
}

// Stripe counts pending_webhooks down between two deliveries of one event: a
// duplicate, mapped or not, and no conflict.
func TestChangedBodyOfADuplicateIsNoConflict(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	e.send(t,
		stripe("payment_intent.succeeded", "evt_1", "pi_1", 2), stripe("payment_intent.succeeded", "evt_1", "pi_1", 1),
		stripe("made.up", "evt_2", "pi_1", 2), stripe("made.up", "evt_2", "pi_1", 1))
	start(t, e.config(t, "a"))
	e.drained(t)
	if got := e.events(t); len(got) != 2 {
		t.Errorf("%d events, want 2", len(got))
	}
	for _, d := range e.deadLetters(t) {
		t.Errorf("dead letter: %s: %s", d.Reason, d.Message)
	}
}

func TestDuplicatesAreDroppedAcrossRestarts(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 3)
	e.payments(t, 0, 200)
	e.payments(t, 0, 200) // in the same batches, or the next
	first := start(t, e.config(t, "a"))
	e.drained(t)
	e.wantPayments(t, 200)
	first.Stop()

	e.payments(t, 100, 300)
	start(t, e.config(t, "b"))
	e.drained(t)
	e.wantPayments(t, 300)
}

// poison is a record that cannot become an event, and why.
type poison struct {
	record *kgo.Record
	want   reason.Code
}

func poisons(raw string) map[string]poison {
	with := func(change func(*record.Webhook)) *kgo.Record {
		w := acme("payment.updated", "poison", "key", `"amount": 1`)
		change(w)
		return w.Record(raw)
	}
	body := func(text string) *kgo.Record { return with(func(w *record.Webhook) { w.Body = []byte(text) }) }
	stripped := payment(0).Record(raw)
	stripped.Headers = nil
	future := with(func(w *record.Webhook) {
		w.OccurredAt, w.ReceivedAt = time.Time{}, time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	})
	future.Timestamp = time.Time{} // Kafka refuses a record that is an hour ahead, not its headers
	renamed := payment(0).Record(raw)
	renamed.Key = []byte("default/acme/another")
	return map[string]poison{
		"no headers":         {stripped, reason.InvalidRecord},
		"nothing at all":     {&kgo.Record{Topic: raw}, reason.InvalidRecord},
		"key and headers":    {renamed, reason.InvalidRecord},
		"unknown provider":   {with(func(w *record.Webhook) { w.Provider = "nobody" }), reason.UnknownProvider},
		"empty body":         {body(""), reason.MalformedBody},
		"truncated":          {body(`{"id": "poison", "amo`), reason.MalformedBody},
		"duplicate names":    {body(`{"amount": 1, "amount": 2}`), reason.MalformedBody},
		"invalid UTF-8":      {body("{\"amount\": \"\xff\"}"), reason.MalformedBody},
		"100,000 deep":       {body(strings.Repeat("[", 100_000)), reason.MalformedBody},
		"trailing data":      {body(`{} {}`), reason.MalformedBody},
		"wrong type":         {body(`{"key": "k", "amount": "much"}`), reason.MappingFailed},
		"beyond 64 bits":     {body(`{"key": "k", "amount": 92233720368547758070}`), reason.MappingFailed},
		"another's body":     {body(`{"amount": 1}`), reason.TypeMismatch},
		"endless expression": {with(func(w *record.Webhook) { w.EventType = "endless" }), reason.MappingFailed},
		"too large an event": {with(func(w *record.Webhook) { w.EventType = "huge" }), reason.TooLarge},
		"unmapped":           {with(func(w *record.Webhook) { w.Provider = "strict" }), reason.Unmapped},
		"missing identity":   {with(func(w *record.Webhook) { w.Defect = reason.MissingIdentity }), reason.MissingIdentity},
		"unknown defect":     {with(func(w *record.Webhook) { w.Defect = "made_up" }), reason.InvalidRecord},
		"missing key":        {with(func(w *record.Webhook) { w.Defect = reason.MissingKey }), reason.MissingKey},
		"from the year 2099": {with(func(w *record.Webhook) { w.OccurredAt = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) }), reason.TimeOutOfBounds},
		"from the year 1970": {with(func(w *record.Webhook) { w.OccurredAt = time.Unix(0, 0) }), reason.TimeOutOfBounds},
		"receipt in 2099":    {future, reason.TimeOutOfBounds},
	}
}

// Each poison is dead-lettered with its bytes and its reason, in the same
// transaction as the events before and after it.
func TestPoisonIsDeadLetteredAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	var in []*kgo.Record
	byOffset := map[int64]poison{}
	names := map[int64]string{}
	for name, p := range poisons(e.kafka.Topics.Raw) {
		in = append(in, payment(len(in)/2).Record(e.kafka.Topics.Raw), p.record)
		offset := int64(len(in) - 1)
		byOffset[offset], names[offset] = p, name
	}
	// A later event of the same identity as an earlier one, with other data.
	conflict := payment(0)
	conflict.Body = []byte(`{"key": "k", "amount": 1000000}`)
	in = append(in, conflict.Record(e.kafka.Topics.Raw))
	byOffset[int64(len(in)-1)] = poison{in[len(in)-1], reason.IdentityConflict}
	// A type that the definition drops, and one whose time is unknown.
	timeless := payment(len(in) / 2)
	timeless.OccurredAt = time.Time{}
	in = append(in, acme("unknown.type", "dropped", "key", `"a": 1`).Record(e.kafka.Topics.Raw), timeless.Record(e.kafka.Topics.Raw))
	e.produce(t, in...)
	start(t, e.config(t, "a"))
	e.drained(t)

	letters := e.deadLetters(t)
	if len(letters) != len(byOffset) {
		t.Errorf("%d dead letters, want %d", len(letters), len(byOffset))
	}
	for _, d := range letters {
		p, ok := byOffset[d.Failed.Offset]
		if !ok {
			t.Errorf("dead letter of offset %d, which is no poison: %s: %s", d.Failed.Offset, d.Reason, d.Message)
			continue
		}
		if d.Reason != p.want || d.Stage != record.StageTransform || d.Class != failure.Permanent.String() {
			t.Errorf("%s: %s, %s, %s (%s), want reason %s", names[d.Failed.Offset], d.Stage, d.Class, d.Reason, d.Message, p.want)
		}
		if string(d.Value) != string(p.record.Value) || string(d.Key) != string(p.record.Key) {
			t.Errorf("%s: key or body are not the original's", names[d.Failed.Offset])
		}
	}
	if want := len(in) - len(byOffset) - 1; len(e.events(t)) != want {
		t.Errorf("%d events, want %d", len(e.events(t)), want)
	}
	wantOneTransaction(t, append(e.read(t, e.kafka.Topics.Events("payment")),
		append(e.read(t, e.kafka.Topics.DeadLetters), e.read(t, e.kafka.Topics.Dedup)...)...))
}

// wantOneTransaction checks that records were written under one producer epoch:
// every transaction has its own (KIP-890).
func wantOneTransaction(t *testing.T, rs []*kgo.Record) {
	t.Helper()
	for _, r := range rs {
		if r.ProducerID != rs[0].ProducerID || r.ProducerEpoch != rs[0].ProducerEpoch {
			t.Errorf("%s was written under epoch %d, others under %d", record.PositionOf(r), r.ProducerEpoch, rs[0].ProducerEpoch)
		}
	}
}

// An identity that was dead-lettered is not remembered, so that its replay can
// succeed once the cause is mended. It keeps its first place in the order.
func TestReplayOfADeadLetterSucceeds(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	old := acme("payment.updated", "old", "key-1", `"amount": 1`)
	old.OccurredAt = time.Now().Add(-48 * time.Hour).UTC().Truncate(time.Second)
	e.send(t, payment(0), old, old)
	cfg := e.config(t, "a")
	cfg.MaxEventAge = 24 * time.Hour
	first := start(t, cfg)
	e.drained(t)
	letters := e.deadLetters(t)
	if len(letters) != 2 || letters[0].Reason != reason.TimeOutOfBounds {
		t.Fatalf("%d dead letters, want the event and its duplicate", len(letters))
	}
	first.Stop()

	for _, d := range letters {
		r, err := d.Replay(e.kafka.Topics.Raw, "run-1")
		if err != nil {
			t.Fatal(err)
		}
		e.produce(t, r)
	}
	start(t, e.config(t, "a"))
	e.drained(t)
	var offsets []int64
	for _, p := range e.events(t) {
		if p.envelope.EventID == "old" {
			offsets = append(offsets, p.event.Meta.Version.Offset)
		}
	}
	if len(offsets) != 1 || offsets[0] != letters[0].Failed.Offset {
		t.Errorf("the replayed event came with the offsets %v, want once with %d", offsets, letters[0].Failed.Offset)
	}
}

// A record can be as large as its topic allows, and compressed even larger. Its
// dead letter must still fit.
func TestRecordThatFitsIntoNoDeadLetter(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	large, err := kgo.NewClient(kgo.SeedBrokers(e.kafka.Brokers...), kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(large.Close)
	huge := strings.Repeat("x", 3<<20)
	withValue := &kgo.Record{Topic: e.kafka.Topics.Raw, Key: []byte("kept"), Value: []byte(huge)}
	withKey := &kgo.Record{Topic: e.kafka.Topics.Raw, Key: []byte(huge), Value: []byte("v")}
	if err := large.ProduceSync(t.Context(), withValue, withKey).FirstErr(); err != nil {
		t.Fatal(err)
	}
	e.payments(t, 0, 10)
	start(t, e.config(t, "a"))
	e.drained(t)
	if got := e.events(t); len(got) != 10 {
		t.Errorf("%d events, want 10", len(got))
	}
	letters := e.deadLetters(t)
	if len(letters) != 2 {
		t.Fatalf("%d dead letters, want 2", len(letters))
	}
	for i, d := range letters {
		if d.Reason != reason.InvalidRecord || d.Failed.Offset != int64(i) || len(d.Value) != 0 {
			t.Errorf("dead letter %d: %s at %s with %d bytes", i, d.Reason, d.Failed, len(d.Value))
		}
		if _, err := d.Replay(e.kafka.Topics.Raw, "run-1"); err == nil {
			t.Errorf("dead letter %d omits %q and can be replayed", i, d.Omitted)
		}
	}
	if string(letters[0].Key) != "kept" || letters[0].Omitted != "value of 3145728 bytes" {
		t.Errorf("dead letter of the large value omits %q and has a key of %d bytes", letters[0].Omitted, len(letters[0].Key))
	}
}

// TestFullDeduplicationWaits: nothing is forgotten and nothing is lost; an
// instance with more room goes on where the full one stands.
func TestFullDeduplicationWaits(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	e.payments(t, 0, 11)
	cfg := e.config(t, "a")
	cfg.DedupMaxEntries, cfg.AdminAddress = 10, "127.0.0.1:0"
	full, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- full.Run(ctx) }()
	runtest.Eventually(t, "readiness to say that deduplication is full", func() bool {
		code, text := readiness(t, full)
		return code == http.StatusServiceUnavailable && strings.Contains(text, "HOOKSTREAM_DEDUP_MAX_ENTRIES")
	})
	if got := e.events(t); len(got) != 0 {
		t.Errorf("%d events of the batch that did not fit", len(got))
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	cfg.DedupMaxEntries, cfg.AdminAddress = 11, ""
	start(t, cfg)
	e.drained(t)
	e.wantPayments(t, 11)
}
