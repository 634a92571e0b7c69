// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// batches of acme are arrays of events.
const batchAcme = providertest.Head + providertest.Verify + `body: {batch: ["*"]}
identity:
  id: [{from: "{body.0.id}"}]
  type: [{from: "{body.0.type}"}]
  key: [{from: "{body.0.object}"}]
`

// events is the answer to a batch.
func (a *answered) events(t *testing.T) (events, defects int) {
	t.Helper()
	var got struct{ Events, Defects int }
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	return got.Events, got.Defects
}

func TestBatchBecomesARecordAnEvent(t *testing.T) {
	w := newWorldOf(t, define(t, "acme", batchAcme), "default/acme="+acmeKey)
	// The spaces and the number are the sender's, and stay so.
	sent := `[ {"id":1,"type":"a","object":"x","n":1.50}, {"id":2,"type":"b","object":"y"},{"id":null,"type":"c","object":"x"} ]`
	a := w.do(acmeRequest(sent))
	a.expect(t, http.StatusAccepted, "")
	if events, defects := a.events(t); events != 3 || defects != 1 {
		t.Errorf("answered %s, want 3 events, one with a defect", a.Body)
	}
	all := w.kept.all(t)
	if len(all) != 3 {
		t.Fatalf("%d records", len(all))
	}
	for i, want := range []struct {
		id, kind, key, body string
		defect              reason.Code
	}{
		{"1", "a", "x", `[ {"id":1,"type":"a","object":"x","n":1.50} ]`, ""},
		{"2", "b", "y", `[{"id":2,"type":"b","object":"y"} ]`, ""},
		{a.body.CorrelationID, "c", "x", `[{"id":null,"type":"c","object":"x"} ]`, reason.MissingIdentity},
	} {
		got := all[i]
		if got.EventID != want.id || got.EventType != want.kind || got.BusinessKey != want.key || got.Defect != want.defect {
			t.Errorf("record %d is %q %q %q with defect %q", i, got.EventID, got.EventType, got.BusinessKey, got.Defect)
		}
		if strings.Join(strings.Fields(string(got.Body)), "") != strings.Join(strings.Fields(want.body), "") {
			t.Errorf("record %d has the body %s", i, got.Body)
		}
		if got.Verification.Scheme != "hmac" || got.Request["x-acme-signature"] == "" {
			t.Errorf("record %d lacks evidence: %+v %v", i, got.Verification, got.Request)
		}
	}
	if whole, err := record.Whole(all); err != nil || string(whole) != sent {
		t.Errorf("together they give %q, %v", whole, err)
	}
}

func TestBatchOfNothingAndBodyWithoutOne(t *testing.T) {
	def := define(t, "acme", batchAcme)
	w := newWorldOf(t, def, "default/acme="+acmeKey)
	a := w.do(acmeRequest(`[]`))
	a.expect(t, http.StatusAccepted, "")
	if events, _ := a.events(t); events != 0 || w.kept.count() != 0 {
		t.Errorf("answered %s and stored %d", a.Body, w.kept.count())
	}
	a = w.do(acmeRequest(`{"id":1}`))
	a.expect(t, http.StatusAccepted, "")
	if got := w.kept.last(t); a.body.EventID == "" || got.Batch != nil || string(got.Body) != `{"id":1}` {
		t.Errorf("answered %s, stored %+v", a.Body, got)
	}
	a = w.do(acmeRequest(`[{"id":1`))
	a.expect(t, http.StatusAccepted, "")
	if got := w.kept.last(t); got.Defect != reason.MalformedBody || got.Batch != nil {
		t.Errorf("stored %+v", got)
	}
}

func TestBatchTooLargeIsStoredWhole(t *testing.T) {
	w := newWorldOf(t, define(t, "acme", batchAcme), "default/acme="+acmeKey)
	sent := "[0" + strings.Repeat(",0", body.MaxItems) + "]"
	w.do(acmeRequest(sent)).expect(t, http.StatusAccepted, "")
	if got := w.kept.last(t); w.kept.count() != 1 || got.Defect != reason.BatchTooLarge || string(got.Body) != sent {
		t.Errorf("stored %d records, the last with defect %q and %d bytes", w.kept.count(), got.Defect, len(got.Body))
	}
}

// partly is a Producer that stores the first records only.
type partly struct {
	kept
	first int
}

func (p *partly) ProduceAll(ctx context.Context, records []*kgo.Record) error {
	if len(records) <= p.first {
		return p.kept.ProduceAll(ctx, records)
	}
	_ = p.kept.ProduceAll(ctx, records[:p.first])
	return errors.New("broker away")
}

// TestBatchIsAcceptedAsAWhole: what was not stored comes again with what was.
func TestBatchIsAcceptedAsAWhole(t *testing.T) {
	p := &partly{first: 2}
	w := newWorldOf(t, define(t, "acme", batchAcme), "default/acme="+acmeKey, func(c *Config) { c.Producer = p })
	sent := `[{"id":1,"object":"x"},{"id":2,"object":"x"},{"id":3,"object":"x"}]`
	w.do(acmeRequest(sent)).expect(t, http.StatusServiceUnavailable, "not-acknowledged")
	p.first = 3
	w.do(acmeRequest(sent)).expect(t, http.StatusAccepted, "")
	var order []string
	for _, got := range p.all(t) {
		order = append(order, got.EventID)
	}
	if got := strings.Join(order, " "); got != "1 2 1 2 3" {
		t.Errorf("the records came as %s: those of one key in their order, every one again", got)
	}
}

// TestBatchOfSignedItems is Adyen's: each item has its own signature, and one
// that is forged refuses the request.
func TestBatchOfSignedItems(t *testing.T) {
	def := define(t, "acme", `
provider: acme
title: Acme
docs: https://acme.example/webhooks
revision: 1
verify:
  scheme: hmac
  algorithm: sha256
  encoding: base64
  signature: {body: items.0.signature}
  signed: "{body.items.0.id}:{body.items.0.amount}"
  secret: {encoding: raw}
  per_item: true
  unsigned_body: true
body: {batch: ["items.*"]}
identity:
  id: [{from: "{body.items.0.id}"}]
  type: [{from: "{body.items.0.type}"}]
  key: [{from: "{body.items.0.id}"}]
`)
	item := func(id, key string) string {
		return fmt.Sprintf(`{"id":%q,"amount":1,"signature":%q}`, id, base64.StdEncoding.EncodeToString(sum(key, id+":1")))
	}
	envelope := func(items ...string) *http.Request {
		return post("/webhooks/acme", `{"live":"false","items":[`+strings.Join(items, ",")+`]}`)
	}
	many := make([]string, body.MaxItems+1)
	for i := range many {
		many[i] = "0"
	}
	many[0] = item("a", acmeKey)
	cases := map[string]struct {
		request *http.Request
		want    shaken
	}{
		"two":                  {envelope(item("a", acmeKey), item("b", acmeKey)), shaken{status: 202, stored: 2}},
		"one":                  {envelope(item("a", acmeKey)), shaken{status: 202, stored: 1}},
		"the second is forged": {envelope(item("a", acmeKey), item("b", "guessed")), shaken{status: 401}},
		"the first is forged":  {envelope(item("a", "guessed"), item("b", acmeKey)), shaken{status: 401}},
		"the second has none":  {envelope(item("a", acmeKey), `{"id":"b","amount":1}`), shaken{status: 401}},
		"none":                 {envelope(), shaken{status: 401}},
		"too many to verify":   {envelope(many...), shaken{status: 413}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorldOf(t, def, "default/acme="+acmeKey)
			c.want.check(t, w, w.do(c.request))
		})
	}
}

// TestNoMemoryForABatch: what a batch takes when it is split counts too.
func TestNoMemoryForABatch(t *testing.T) {
	const free = 24 << 10
	m := &memory{free: free}
	w := newWorldOf(t, define(t, "acme", batchAcme), "default/acme="+acmeKey, func(c *Config) { c.Memory = m })
	item := `{"id":1,"object":"` + strings.Repeat("x", 1000) + `"}`
	w.do(acmeRequest("["+item+","+item+"]")).expect(t, http.StatusAccepted, "")
	w.do(acmeRequest("["+item+strings.Repeat(","+item, 4)+"]")).expect(t, http.StatusServiceUnavailable, "overloaded")
	if m.free != free {
		t.Errorf("%d bytes were not given back", free-m.free)
	}
}

// BenchmarkBatch is 100 events in one request.
func BenchmarkBatch(b *testing.B) {
	w := newWorldOf(b, define(b, "acme", batchAcme), "default/acme="+acmeKey, func(c *Config) { c.Producer = discard{}; c.Log = slog.New(slog.DiscardHandler) })
	item := `{"id":1,"type":"a","object":"x","properties":"` + strings.Repeat("x", 200) + `"}`
	sent := "[" + item + strings.Repeat(","+item, 99) + "]"
	b.SetBytes(int64(len(sent)))
	b.ReportAllocs()
	for b.Loop() {
		if got := w.do(acmeRequest(sent)); got.Code != http.StatusAccepted {
			b.Fatal(got.Body)
		}
	}
}
