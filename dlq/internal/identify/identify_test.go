// SPDX-License-Identifier: Apache-2.0

package identify

import (
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

const acme = `provider: acme
title: Acme
docs: https://acme.example
revision: 2
verify: {scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: X-Signature}, signed: "{body}", secret: {encoding: raw}}
identity:
  tenant: [{from: "{body.shop}"}]
  id: [{from: "{header.X-Id}"}, {from: "{body.events.id}"}]
  type: [{from: "{body.type}"}]
  key: [{from: "{body.order}"}]
  time: [{from: "{body.at}", unit: rfc3339}]
unmapped: generic
`

func letter(tenant, body string, headers map[string]string) *record.DeadLetter {
	w := record.Webhook{
		Tenant: tenant, Provider: "acme", EventID: "c-1", IdentitySource: identity.None, EventType: "unknown", BusinessKey: "c-1",
		Defect: reason.MissingIdentity, ReceivedAt: time.Unix(1_700_000_000, 0).UTC(), CorrelationID: "c-1", Body: []byte(body), Request: headers,
	}
	r := w.Record("raw")
	return &record.DeadLetter{
		Stage: record.StageTransform, Failed: record.Position{Topic: "raw", Partition: 1, Offset: 7}, Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
}

func acmeIdentifier(t *testing.T, definition string) *Identifier {
	t.Helper()
	def, err := provider.Parse("acme.yaml", []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return &Identifier{provider.Catalog{"acme": def}}
}

func TestIdentity(t *testing.T) {
	header := map[string]string{"x-id": "e-1"}
	for name, c := range map[string]struct {
		tenant, body string
		key, fails   string
	}{
		"tenant of the content": {"default", `{"order":"o","shop":"Nord"}`, "nord/acme/o", ""},
		"tenant of the path":    {"west", `{"order":"o","shop":"Nord"}`, "west/acme/o", ""},
		"no tenant":             {"default", `{"order":"o"}`, "default/acme/o", ""},
		"no name of a tenant":   {"default", `{"order":"o","shop":"a b"}`, "", "no name of a tenant"},
		"no key":                {"default", `{}`, "", "acme revision 2: no business key is found"},
		"control character":     {"default", `{"order":"a\u0000"}`, "", "no business key is found"},
		"malformed":             {"default", `{"order":`, "", "still malformed"},
	} {
		d := letter(c.tenant, c.body, header)
		got, id, err := acmeIdentifier(t, acme).DeadLetter(d)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if err != nil || string(got.Key) != c.key || id.EventID != "e-1" {
			t.Errorf("%s: got key %s, %+v, %v", name, got.Key, id, err)
		}
		if defect, ok := Unidentified(d); !ok || defect != "missing_identity" || string(d.Key) == c.key {
			t.Errorf("%s: the dead letter itself was changed", name)
		}
		if same, none, err := acmeIdentifier(t, acme).DeadLetter(got); same != got || none != nil || err != nil {
			t.Errorf("%s: what is identified is identified again: %+v, %v", name, none, err)
		}
	}
}

func TestTimeIsIdentified(t *testing.T) {
	got, id, err := acmeIdentifier(t, acme).DeadLetter(letter("default", `{"order":"o","type":"paid","at":"2026-03-01T09:00:00Z"}`, map[string]string{"x-id": "e-1"}))
	if err != nil {
		t.Fatal(err)
	}
	r, err := got.Replay("raw", "r")
	if err != nil {
		t.Fatal(err)
	}
	w, err := record.ParseWebhook(r)
	if err != nil || w.EventType != "paid" || !w.OccurredAt.Equal(id.OccurredAt) || id.OccurredAt.IsZero() || w.Position != got.Failed {
		t.Errorf("got %+v, %v", w, err)
	}
}

func TestABatchIsNotSentAsOne(t *testing.T) {
	i := acmeIdentifier(t, acme+"body: {batch: [events.*]}\n")
	if _, _, err := i.DeadLetter(letter("default", `{"order":"o","events":[{"id":"1"},{"id":"2"}]}`, nil)); err == nil || !strings.Contains(err.Error(), "it holds 2 events") {
		t.Errorf("got %v", err)
	}
}
