// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// TestBrokenMappingWaitsForItsCorrection: a definition that fails for most of a
// type makes no dead letters; corrected in place, everything comes out, once and
// under the new revision.
func TestBrokenMappingWaitsForItsCorrection(t *testing.T) {
	t.Parallel()
	e := newEnv(t, 1)
	good, err := os.ReadFile(filepath.Join(definitions, "acme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		// As a mounted ConfigMap changes: all at once.
		next := filepath.Join(dir, "next")
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(dir, "acme.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(string(good), "amount: .amount", "amount: .currency", 1))

	cfg := e.config(t, "a")
	cfg.DefinitionsDir, cfg.AdminAddress = dir, "127.0.0.1:0"
	s, err := transform.New(cfg, runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	runService(t, s)
	var hooks []*record.Webhook
	for n := range 100 {
		hooks = append(hooks, acme("payment.updated", fmt.Sprintf("evt-%d", n), fmt.Sprintf("key-%d", n%10), fmt.Sprintf(`"amount": %d, "currency": "EUR"`, n)))
	}
	e.send(t, hooks...)
	runtest.Eventually(t, "readiness to name the definition's fault", func() bool {
		code, text := readiness(t, s)
		return code == http.StatusServiceUnavailable && strings.Contains(text, "mapping_failed") && strings.Contains(text, "payment.updated")
	})
	write(strings.Replace(string(good), "revision: 3", "revision: 4", 1))
	e.drained(t)
	if letters := e.deadLetters(t); len(letters) > 20 {
		t.Errorf("%d of 100 were dead-lettered", len(letters))
	}
	events := e.events(t)
	if len(events)+len(e.deadLetters(t)) != 100 {
		t.Errorf("%d events and %d dead letters of 100 webhooks", len(events), len(e.deadLetters(t)))
	}
	for _, ev := range events {
		if ev.event.Meta.Version.Revision != 4 {
			t.Fatalf("event %s has revision %d", ev.event.Meta.EventID, ev.event.Meta.Version.Revision)
		}
	}
}
