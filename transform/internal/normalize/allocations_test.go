// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/hookstream/hookstream/schemas/alloctest"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/registry"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/transform/internal/dedup"
	"github.com/hookstream/hookstream/transform/internal/held"
)

// mostAllocations of a payment intent that is a batch of its own, from the raw
// record to the event's. One of them is the id of the object that its type requires.
const mostAllocations = 90

// TestAllocations guards the cost of an event where wall time cannot.
func TestAllocations(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := processor(t, now)
	in := []*kgo.Record{paymentIntent(1, now)}
	got := alloctest.Fewest(func() {
		b := p.begin()
		if r := b.prepareAll(t.Context(), in)[0]; r.err != nil || r.record == nil {
			t.Fatal(r.err, r.refuse)
		}
	})
	if got > mostAllocations {
		t.Errorf("an event takes %v allocations, at most %d are allowed", got, mostAllocations)
	}
}

func processor(t *testing.T, now time.Time) *Processor {
	t.Helper()
	reg := srfake.New()
	t.Cleanup(reg.Close)
	client, err := sr.NewClient(sr.URLs(reg.URL()))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &kafka.Config{MaxMessageBytes: 1 << 20, Topics: topic.DefaultNames()}
	encoder, err := registry.NewEncoder(t.Context(), client, cfg.Topics.Events)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := dedup.New(dedup.Config{Topic: cfg.Topics.Dedup, Window: time.Hour, MaxMessageBytes: cfg.MaxMessageBytes})
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	mapper, err := mapping.Compile(definitions["stripe"])
	if err != nil {
		t.Fatal(err)
	}
	catalog := Catalog{"stripe": {Mapper: mapper, Revision: definitions["stripe"].Revision}}
	p, err := New(Config{
		Kafka: cfg, Definitions: func() Catalog { return catalog }, Encoder: encoder, Sets: sets,
		Held:   held.New(held.Config{Kafka: cfg, MaxRecords: 1}),
		Bounds: Bounds{MaxAge: time.Hour, MaxSkew: time.Hour}, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func paymentIntent(n int, now time.Time) *kgo.Record {
	w := record.Webhook{
		Tenant: "default", Provider: "stripe", EventID: fmt.Sprintf("evt_%d", n), IdentitySource: identity.ProviderID,
		EventType: "payment_intent.succeeded", BusinessKey: fmt.Sprintf("pi_%d", n),
		OccurredAt: now, ReceivedAt: now, CorrelationID: fmt.Sprintf("corr-%d", n), ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"id":"evt_%[1]d","object":"event","created":%[2]d,"type":"payment_intent.succeeded","livemode":false,
			"data":{"object":{"id":"pi_%[1]d","object":"payment_intent","amount":1099,"amount_received":1099,"created":%[2]d,
			"currency":"eur","customer":"cus_%[1]d","description":%[3]q,"livemode":false,"metadata":{"order":"6735"},"status":"succeeded"}}}`,
			n, now.Unix(), strings.Repeat("x", 1000)),
	}
	return w.Record(topic.DefaultNames().Raw)
}
