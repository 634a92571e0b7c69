// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	engine "github.com/hookstream/hookstream/schemas/mapping"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// defective is the dead letter of a webhook that ingest could not identify.
func (w *world) defective(n int, defect reason.Code, body string) *record.DeadLetter {
	hook := record.Webhook{
		Tenant: "default", Provider: "stripe", EventID: "corr-9", IdentitySource: identity.None, EventType: "unknown",
		BusinessKey: "corr-9", Defect: defect, ReceivedAt: day, CorrelationID: "corr-9", ContentType: "application/json", Body: []byte(body),
	}
	r := hook.Record(w.cfg.Topics.Raw)
	d := w.letter(n)
	d.Reason, d.Key, d.Value, d.Headers = defect, r.Key, r.Value, r.Headers
	return d
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "payload.json")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestAMendedMalformedBodyPasses: it is identified as the edge would have, and
// keeps its place and everything else.
func TestAMendedMalformedBodyPasses(t *testing.T) {
	w := newWorld(t)
	cut, dir := w.defective(9, reason.MalformedBody, `{"id":"evt_9","type":"charge.failed","amount":9`), definitions(t, ".amount")
	w.write(cut)
	mended := file(t, string(cut.Value)+"}")

	w.dlq("edit", cut.ID(), "--file", mended, "--yes").want(t, exitPartial, "ingest could not identify it (malformed_body)", "--identify")
	w.dlq("edit", cut.ID(), "--file", file(t, `{"id":"evt_9"`), "--identify", "--yes").want(t, exitPartial, "cannot be identified", "still malformed")
	w.dlq("edit", cut.ID(), "--file", file(t, `{"type":"x"}`), "--identify", "--definitions-dir", dir, "--yes").want(t, exitPartial, "no event id is")
	w.dlq("edit", cut.ID(), "--file", mended, "--identify", "--definitions-dir", dir, "--yes", "--by", "ann", "--replay-id", "r1").want(t, exitOK,
		"1 of them under the identity that their payload gives", "1 of 1 replayed")

	raw := w.read(w.cfg.Topics.Raw)
	if len(raw) != 1 {
		t.Fatalf("%d records were sent", len(raw))
	}
	hook, err := record.ParseWebhook(raw[0])
	if err != nil {
		t.Fatal(err)
	}
	by, _ := header.List(raw[0].Headers).Get(header.EditedBy)
	if hook.Defect != "" || hook.EventID != "evt_9" || hook.EventType != "charge.failed" || string(raw[0].Key) != "default/stripe/evt_9" ||
		hook.Position != cut.Failed || hook.CorrelationID != "corr-9" || by != "ann" || !hook.ReceivedAt.Equal(day) {
		t.Errorf("sent %+v, key %s, edited by %q", hook, raw[0].Key, by)
	}
	if e, err := mapper(t, dir).Map(t.Context(), hook); err != nil || e == nil {
		t.Errorf("it maps to %+v, %v", e, err)
	}

	// What became of it is asked for under the new identity.
	s, out := w.waiting(0)
	s.postgres = ledgerOf{identity.Of("default", "stripe", "evt_9"), outcome.Source{Raw: cut.Failed}}
	if err := (&sending{ReplayID: "r1", WaitTimeout: time.Minute}).wait(s, "json", 1); err != nil {
		t.Error(err)
	}
	if got := tallied(t, out); got.Succeeded != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestIdentifyByAMendedDefinition takes no edit, and leaves identities as they are.
func TestIdentifyByAMendedDefinition(t *testing.T) {
	w := newWorld(t)
	missing := w.defective(9, reason.MissingIdentity, `{"id":"evt_9","type":"charge.failed"}`)
	w.write(missing, w.letter(1))
	w.dlq("replay", "--all", "--dry-run").want(t, exitOK, "1 of them failed with missing_identity, which a replay alone does not mend")
	r := w.dlq("replay", "--all", "--identify", "--definitions-dir", definitions(t, ".amount"), "--yes")
	r.want(t, exitOK, "1 of them under the identity", "2 of 2 replayed")
	var keys []string
	for _, r := range w.read(w.cfg.Topics.Raw) {
		keys = append(keys, string(r.Key))
	}
	if slices.Sort(keys); !slices.Equal(keys, []string{"default/stripe/evt_9", "default/stripe/pi_1"}) {
		t.Errorf("sent under %v", keys)
	}
	w.dlq("replay", "--all", "--identify", "--definitions-dir", "/nowhere").want(t, exitUsage, "provider definitions")
}

func mapper(t *testing.T, dir string) *engine.Mapper {
	t.Helper()
	catalog, err := provider.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Compile(catalog["stripe"])
	if err != nil {
		t.Fatal(err)
	}
	return m
}
