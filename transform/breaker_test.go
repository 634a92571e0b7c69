// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// folder is a folder of definitions that changes under a running service.
type folder struct{ path, good string }

func newFolder(t *testing.T) *folder {
	t.Helper()
	good, err := os.ReadFile(filepath.Join(definitions, "acme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return &folder{t.TempDir(), string(good) + `  - types: [customer.seen]
    entity: customer
    requires: {body.key: "*"}
    fields:
      name: .name
  - types: [note.added]
    entity: payment
    requires: {body.key: "*"}
    fields:
      description: .name
`}
}

// write puts a revision of the definition into force, all at once, as a mounted
// ConfigMap changes.
func (f *folder) write(t *testing.T, revision int, text string) {
	t.Helper()
	text = strings.Replace(text, "revision: 3", fmt.Sprint("revision: ", revision), 1)
	next := filepath.Join(f.path, "next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(f.path, "acme.yaml")); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) broken() string {
	return strings.Replace(f.good, "amount: .amount", "amount: .currency", 1)
}

// broken are webhooks whose mapping the broken definition fails.
func broken(from, to int) (hooks []*record.Webhook) {
	for n := from; n < to; n++ {
		hooks = append(hooks, acme("payment.updated", fmt.Sprintf("evt-%d", n), fmt.Sprintf("key-%d", n%10), fmt.Sprintf(`"amount": %d, "currency": "EUR"`, n)))
	}
	return hooks
}

// sound are webhooks that no definition of the test breaks, about keys of their own.
func sound(from, to int) (hooks []*record.Webhook) {
	for n := from; n < to; n++ {
		hooks = append(hooks, acme("customer.seen", fmt.Sprintf("other-%d", n), fmt.Sprintf("other-%d", n%10), `"name": "Zoë"`))
	}
	return hooks
}

func (e *env) startService(t *testing.T, cfg transform.Config) (*transform.Service, *runtest.Run) {
	t.Helper()
	cfg.AdminAddress = "127.0.0.1:0"
	s, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	return s, runtest.Start(t, s.Run)
}

// TestBrokenMappingHoldsItsRecordsOnly: a definition that fails for most of a type
// makes no dead letters, and stops nothing else, not even in its partition. Corrected
// in place, what was held comes out, once, in order and under the new revision, also
// where nothing else comes in, and where another instance held it.
func TestBrokenMappingHoldsItsRecordsOnly(t *testing.T) {
	t.Parallel()
	e, dir := newEnv(t, 1), newFolder(t)
	dir.write(t, 3, dir.broken())
	cfg := e.config(t, "a")
	cfg.DefinitionsDir = dir.path
	s, run := e.startService(t, cfg)

	e.send(t, slices.Concat(broken(0, 50), sound(0, 50), broken(50, 100), sound(50, 100))...)
	e.drained(t)
	if n := len(e.read(t, e.kafka.Topics.Events("customer"))); n != 100 {
		t.Errorf("%d of 100 others came out while the type is held", n)
	}
	code, text := readiness(t, s)
	if code != http.StatusOK || !strings.Contains(text, "mapping_failed") || !strings.Contains(text, "payment.updated") {
		t.Errorf("readiness answers %d: %s", code, text)
	}
	if n := len(e.deadLetters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	run.Stop()

	// Another instance, under the same broken definition, goes on to hold.
	cfg.InstanceID = "b"
	s, _ = e.startService(t, cfg)
	e.send(t, slices.Concat(broken(100, 120), sound(100, 120))...)
	e.drained(t)
	if n := len(e.read(t, e.kafka.Topics.Events("customer"))); n != 120 {
		t.Errorf("%d of 120 others came out", n)
	}
	if n := len(e.read(t, e.kafka.Topics.Events("payment"))); n != 0 {
		t.Errorf("%d payments came out", n)
	}

	dir.write(t, 4, dir.good)
	runtest.Eventually(t, "the release", func() bool { return len(e.read(t, e.kafka.Topics.Events("payment"))) == 120 })
	e.wantOnceInOrder(t, 240)
	for _, p := range e.events(t) {
		if p.event.Entity == "payment" && p.event.Meta.Version.Revision != 4 {
			t.Fatalf("event %s has revision %d", p.envelope.EventID, p.event.Meta.Version.Revision)
		}
	}
	runtest.Eventually(t, "nothing to be held", func() bool {
		_, text := readiness(t, s)
		return !strings.Contains(text, "payment.updated")
	})
	if left := e.held(t); left != 0 {
		t.Errorf("%d records are still in the topic of held ones", left)
	}
}

// wantOnceInOrder checks that n events came out, each once, in the order of their raw
// records within a key.
func (e *env) wantOnceInOrder(t *testing.T, n int) {
	t.Helper()
	if got := len(e.wantInOrder(t)); got != n {
		t.Errorf("%d different events, want %d", got, n)
	}
}

// wantInOrder is wantOnceInOrder for whatever came out, which it returns by event id.
func (e *env) wantInOrder(t *testing.T) map[string]bool {
	t.Helper()
	seen, offset := map[string]bool{}, map[string]int64{}
	for _, p := range e.events(t) {
		if seen[p.envelope.EventID] {
			t.Errorf("event %s came twice", p.envelope.EventID)
		}
		seen[p.envelope.EventID] = true
		key := string(p.Key)
		if last, there := offset[key]; there && p.event.Meta.RawOffset <= last {
			t.Errorf("event %s of raw offset %d came after offset %d of its key", p.envelope.EventID, p.event.Meta.RawOffset, last)
		}
		offset[key] = p.event.Meta.RawOffset
	}
	return seen
}

// held counts what is in the topic of held records and was not released.
func (e *env) held(t *testing.T) int {
	t.Helper()
	left := map[string]bool{}
	for _, r := range e.read(t, e.kafka.Topics.Held) {
		h, err := record.ParseHeld(r)
		if err != nil {
			t.Fatal(err)
		}
		if left[string(r.Key)] = true; h == nil {
			delete(left, string(r.Key))
		}
	}
	return len(left)
}
