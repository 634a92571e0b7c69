// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
)

// The golden files are the contract with every other reader of the topics, and
// with records that are already there: a change to one is a change of format.

type goldenRecord struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition,omitempty"`
	Timestamp string `json:"timestamp,omitempty"`
	Key       string `json:"key"`
	// Headers are "name: value", in their order.
	Headers  []string `json:"headers,omitempty"`
	Value    string   `json:"value,omitempty"`
	ValueHex string   `json:"value_hex,omitempty"`
}

func goldenFile(t *testing.T, name string, r *kgo.Record) {
	t.Helper()
	g := goldenRecord{Topic: r.Topic, Partition: r.Partition, Timestamp: header.FormatTime(r.Timestamp), Key: string(r.Key)}
	for _, h := range r.Headers {
		g.Headers = append(g.Headers, h.Key+": "+string(h.Value))
	}
	if g.Value = string(r.Value); !utf8.Valid(r.Value) || bytes.ContainsRune(r.Value, 0) {
		g.Value, g.ValueHex = "", hex.EncodeToString(r.Value)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(g); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, filepath.Join("testdata", "golden", name+".json"), b.Bytes())
}

var (
	occurred = time.Date(2026, 3, 1, 9, 0, 0, 123456000, time.UTC)
	received = occurred.Add(2 * time.Second)
)

func webhook() *Webhook {
	return &Webhook{
		Tenant: "default", Provider: "stripe", EventID: "evt_1", IdentitySource: identity.ProviderID,
		EventType: "payment_intent.succeeded", BusinessKey: "pi_1", OccurredAt: occurred, ReceivedAt: received,
		CorrelationID: "0195-corr", ContentType: "application/json",
		Request: map[string]string{"stripe-signature": "t=1,v1=ab", "x-b": "ü"},
		Body:    []byte(`{"id":"evt_1","note":"žluťoučký"}`),
	}
}

func minimalWebhook() *Webhook {
	sequence := int64(-7)
	return &Webhook{
		Tenant: "acme", Provider: "github", EventID: "k/1", IdentitySource: identity.NaturalKey, EventType: "push",
		BusinessKey: "a/b", ReceivedAt: received, CorrelationID: "c", Request: map[string]string{}, Body: []byte("\xff{"),
		Sequence: &sequence, Defect: reason.MalformedBody,
	}
}

// batchedWebhook is the second of two, with all the evidence that there is.
func batchedWebhook() *Webhook {
	w := webhook()
	w.Verification = Verification{Scheme: "v3", KeyID: "0a1b2c3d"}
	w.Remote = "2001:db8::7"
	w.Method, w.URL = "POST", "https://hooks.example.com/webhooks/hubspot?a=%20b"
	w.Batch = &Batch{SHA256: [32]byte{1, 2, 0xff}, Index: 2, Count: 2, Ranges: []body.Range{{Start: 0, End: 1}, {Start: 12, End: 45}}, Gap: " ,\n"}
	return w
}

func deadLetter() *DeadLetter {
	r := webhook().Record("hookstream.raw")
	return &DeadLetter{
		Stage: StageTransform, Failed: Position{"hookstream.raw", 3, 42}, Class: "permanent", Reason: reason.MappingFailed,
		Exception: "hookstream.mapping_failed", Message: "stripe revision 1: field amount", Attempts: 2,
		FirstFailedAt: received, LastFailedAt: received.Add(time.Minute), ServiceVersion: "abc",
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}

// at puts a record where a broker would.
func at(r *kgo.Record, partition int32, offset int64) *kgo.Record {
	r.Partition, r.Offset = partition, offset
	return r
}

func TestGoldenWebhook(t *testing.T) {
	for name, w := range map[string]*Webhook{"webhook": webhook(), "webhook-minimal": minimalWebhook(), "webhook-batched": batchedWebhook()} {
		r := w.Record("hookstream.raw")
		goldenFile(t, name, r)
		got, err := ParseWebhook(at(r, 3, 42))
		if err != nil {
			t.Fatal(err)
		}
		w.Position = Position{"hookstream.raw", 3, 42}
		if !reflect.DeepEqual(got, w) {
			t.Errorf("%s: got %+v, want %+v", name, got, w)
		}
	}
}

func TestGoldenEvent(t *testing.T) {
	ev := &event.Event{Entity: "payment", ID: "pi_1/re_1", Meta: event.Meta{
		EventID: "evt_1", EventType: "charge.refunded", Provider: "stripe", Tenant: "default", BusinessKey: "pi_1",
		OccurredAt: occurred, ReceivedAt: received, CorrelationID: "c",
	}}
	r := EventRecord("events.payment.v1", ev, []byte{0, 0, 0, 0, 7, 2, 0xff})
	goldenFile(t, "event", r)
	got, err := ParseEvent(at(r, 1, 9))
	want := &Event{
		Entity: "payment", Tenant: "default", Provider: "stripe", EventID: "evt_1", EventType: "charge.refunded", BusinessKey: "pi_1",
		OccurredAt: occurred, ReceivedAt: received, CorrelationID: "c", EntityID: "pi_1/re_1", Value: r.Value,
		Origin: Position{"events.payment.v1", 1, 9},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

func TestGoldenDeadLetter(t *testing.T) {
	omitted := deadLetter()
	omitted.Value, omitted.Omitted, omitted.ServiceVersion = nil, "value of 9 bytes", ""
	for name, d := range map[string]*DeadLetter{"deadletter": deadLetter(), "deadletter-omitted": omitted} {
		r := d.Record("hookstream.dlq")
		goldenFile(t, name, r)
		got, err := ParseDeadLetter(at(r, 0, 5))
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, d)
		}
	}
}

func TestGoldenReplay(t *testing.T) {
	r, err := deadLetter().Replay("hookstream.raw", "replay-1")
	if err != nil {
		t.Fatal(err)
	}
	goldenFile(t, "replay", r)
}

func TestGoldenResolution(t *testing.T) {
	for name, res := range map[string]*Resolution{
		"resolution-replayed":  {DeadLetterID: "transform:hookstream.raw/3/42", Action: Replayed, By: "ann@host", At: received, ReplayID: "r", Target: "hookstream.raw"},
		"resolution-discarded": {DeadLetterID: "sink:events.payment.v1/0/1", Action: Discarded, By: "ann@host", At: received, Why: "a test"},
	} {
		r, err := res.Record("hookstream.dlq.resolutions")
		if err != nil {
			t.Fatal(err)
		}
		goldenFile(t, name, r)
		if got, err := ParseResolution(r); err != nil || !reflect.DeepEqual(got, res) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestGoldenDedup(t *testing.T) {
	entries := []DedupEntry{
		{identity.Of("default", "stripe", "evt_1"), identity.NewMark([32]byte{1, 2, 3}, 4)},
		{identity.Of("default", "stripe", "evt_2"), identity.NewMark([32]byte{5, 6, 7}, 8)},
	}
	r := DedupRecord("hookstream.dedup", "hookstream.raw", 3, received, entries)
	goldenFile(t, "dedup", r)
	if got, err := ParseDedup(r); err != nil || !reflect.DeepEqual(got, entries) {
		t.Errorf("got %v, %v", got, err)
	}
}
