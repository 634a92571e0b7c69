// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/reason"
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
    requires: {body.id: "*"}
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
	cut := w.defective(50, reason.MalformedBody, `{"id":"evt_50","type":"charge.failed","amount":9}`)
	w.write(cut)
	w.dlq("simulate", cut.ID(), "--definitions-dir", right).want(t, exitPartial, "1 would fail with malformed_body")
	w.dlq("simulate", cut.ID(), "--definitions-dir", right, "--identify").want(t, exitOK, "1 of 1 would pass")
	w.dlq("simulate", "--event-id", "nobody", "--definitions-dir", right).want(t, exitPartial, "no open dead letter matches")
	w.dlq("simulate", "--all", "--definitions-dir", definitions(t, ".amount |")).want(t, exitUsage, "stripe.yaml")
	for _, topic := range []string{w.cfg.Topics.Raw, w.cfg.Topics.Resolutions} {
		if n := len(w.read(topic)); n != 0 {
			t.Errorf("%d records on %s", n, topic)
		}
	}
}

// TestSimulateDoesNotSayWhatItCannotKnow: what maps may still fail for what only
// transform sees, or because it is too large.
func TestSimulateDoesNotSayWhatItCannotKnow(t *testing.T) {
	w := newWorld(t)
	for i, why := range []reason.Code{reason.TimeOutOfBounds, reason.IdentityConflict, reason.TooLarge} {
		d := w.letter(i)
		d.Reason = why
		w.write(d)
	}
	r := w.dlq("simulate", "--all", "--definitions-dir", definitions(t, ".amount"), "-o", "json").want(t, exitPartial)
	var got output.Simulation
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tried != 1 || got.Passed != 1 || len(got.Refused) != 2 || !strings.Contains(r.out, "time_out_of_bounds, which only transform can judge") {
		t.Errorf("got %s", r.out)
	}
	large := w.letter(3)
	large.Value = fmt.Appendf(nil, `{"amount":1,"pad":%q}`, strings.Repeat("x", 60<<10))
	large.Headers.Set("ce_type", "charge.other") // kept as it came, with all of its payload
	w.write(large)
	w.cfg.MaxMessageBytes = 64 << 10
	w.dlq("simulate", large.ID(), "--definitions-dir", definitions(t, ".amount")).want(t, exitPartial, "1 would fail with too_large", "event of")
}
