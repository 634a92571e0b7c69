// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/hookstream/hookstream/dlq/internal/output"
)

// definitions is a folder in which Stripe's charges are customers, with this
// expression as the balance.
func definitions(t *testing.T, balance string) string {
	t.Helper()
	dir := t.TempDir()
	text := `provider: stripe
title: Stripe
docs: https://docs.stripe.com/webhooks
revision: 99
verify: {scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: Stripe-Signature}, signed: "{body}", secret: {encoding: raw}}
identity:
  id: [{from: "{body.id}"}]
  type: [{from: "{body.type}"}]
  key: [{from: "{body.id}"}]
unmapped: generic
events:
  - types: [charge.failed]
    entity: customer
    fields:
      balance: '` + balance + `'
`
	if err := os.WriteFile(filepath.Join(dir, "stripe.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSimulate(t *testing.T) {
	w := newWorld(t)
	w.many(5)
	broken := w.letter(7)
	broken.Value = []byte("{")
	w.write(broken)
	wrong, right := definitions(t, `"x" + .amount`), definitions(t, ".amount")

	r := w.dlq("simulate", "--stage", "transform", "--definitions-dir", wrong).want(t, exitPartial,
		"0 of 6 would pass", "5 would fail with mapping_failed", "1 would fail with malformed_body", "for example transform:")
	w.golden("simulate.failing.txt", r.out)
	w.write(w.event(9))
	r = w.dlq("simulate", "--all", "--definitions-dir", right).want(t, exitPartial, "5 of 6 would pass", "1 cannot be simulated: the sink gave it up")
	w.golden("simulate.passing.txt", r.out)

	var got output.Simulation
	one := w.dlq("simulate", w.letter(3).ID(), "--definitions-dir", right, "-o", "json").want(t, exitOK)
	if err := json.Unmarshal([]byte(one.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tried != 1 || got.Passed != 1 || got.Example.EventID != "evt_3" || got.Example.Fields["balance"] != 3.0 {
		t.Errorf("got %s", one.out)
	}
	w.dlq("simulate", "--event-id", "evt_3", "--definitions-dir", wrong, "--patch", `.amount |= tostring`).want(t, exitPartial, "want")
	w.dlq("simulate", "--event-id", "nobody", "--definitions-dir", right).want(t, exitPartial, "no open dead letter matches")
	w.dlq("simulate", "--all", "--definitions-dir", definitions(t, ".amount |")).want(t, exitUsage, "stripe.yaml")
	for _, topic := range []string{w.cfg.Topics.Raw, w.cfg.Topics.Resolutions} {
		if n := len(w.read(topic)); n != 0 {
			t.Errorf("%d records on %s", n, topic)
		}
	}
}
