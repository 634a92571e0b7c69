// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/providertest"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// mount is a folder as Kubernetes mounts it: files are links into a hidden
// folder, which is swapped as a whole.
type mount struct {
	t    *testing.T
	dir  string
	next int
}

// put replaces the folder name of the mount by one that holds the files.
func (m *mount) put(name string, files map[string]string) {
	m.t.Helper()
	m.next++
	version := filepath.Join(m.dir, "..v"+string(rune('a'+m.next)))
	if err := os.MkdirAll(version, 0o700); err != nil {
		m.t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(version, name), []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	swap := filepath.Join(m.dir, "..next")
	if err := os.Symlink(filepath.Base(version), swap); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(swap, filepath.Join(m.dir, name)); err != nil {
		m.t.Fatal(err)
	}
}

// followed is a service that answers webhooks of the provider acme.
type followed struct {
	*running
	definitions, secrets *mount
}

func follow(t *testing.T) *followed {
	t.Helper()
	f := &followed{definitions: &mount{t: t, dir: t.TempDir()}, secrets: &mount{t: t, dir: t.TempDir()}}
	f.definitions.put("definitions", nil)
	f.secrets.put("default", map[string]string{"stripe": stripeSecret})
	cfg := config(t, kafkatest.New(t))
	cfg.Secrets, cfg.SecretsDir = "", f.secrets.dir
	cfg.DefinitionsDir = filepath.Join(f.definitions.dir, "definitions")
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	f.running = run(t, s).waitReady()
	return f
}

func (f *followed) define(header string) {
	f.t.Helper()
	f.definitions.put("definitions", map[string]string{"acme.yaml": strings.Replace(providertest.Acme("id"), providertest.SignatureHeader, header, 1)})
}

// answers are the statuses of a webhook of Acme that is signed in the header,
// and of one of Stripe.
func (f *followed) answers(step, header, secret string, acme, stripe int) {
	f.t.Helper()
	f.setup.Look(f.t.Context())
	f.setup.Look(f.t.Context()) // what cannot be used is told of then
	const body = `{"id":"b1","type":"drifted"}`
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, f.url+"/webhooks/acme", strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set(header, providertest.Sign(secret, body))
	if got, err := send(r); err != nil || got.status != acme {
		f.t.Errorf("%s: Acme is answered %d, error %v, want %d", step, got.status, err, acme)
	}
	if got, err := send(signed(f.t, f.url, event(step))); err != nil || got.status != stripe {
		f.t.Errorf("%s: Stripe is answered %d, error %v, want %d", step, got.status, err, stripe)
	}
}

// settled reports whether the files are what is in force. The service is ready
// either way.
func (f *followed) settled(step string, want bool) {
	f.t.Helper()
	ready, parts := f.health.Ready()
	if got := parts[partSetup].Reason == ""; !ready || got != want {
		f.t.Errorf("%s: ready %t, %+v", step, ready, parts[partSetup])
	}
}

func TestDefinitionsAndSecretsAreFollowed(t *testing.T) {
	f := follow(t)
	const first, second = "Acme-Signature", "Acme-Proof"
	f.answers("unknown provider", first, "one", http.StatusNotFound, http.StatusAccepted)
	f.settled("unknown provider", true)

	f.secrets.put("default", map[string]string{"stripe": stripeSecret, "acme": "one"})
	f.answers("its secret is there first", first, "one", http.StatusNotFound, http.StatusAccepted)
	f.settled("its secret is there first", false)

	f.define(first)
	f.answers("defined", first, "one", http.StatusAccepted, http.StatusAccepted)
	f.settled("defined", true)

	f.define(second)
	f.answers("signs elsewhere", first, "one", http.StatusUnauthorized, http.StatusAccepted)
	f.answers("signs elsewhere", second, "one", http.StatusAccepted, http.StatusAccepted)

	refused := counted(t, "hookstream.reloads")
	f.define("")
	f.answers("broken definition", second, "one", http.StatusAccepted, http.StatusAccepted)
	f.settled("broken definition", false)
	if n := counted(t, "hookstream.reloads"); n != refused+1 {
		t.Errorf("%d changes were counted, want one", n-refused)
	}
	f.definitions.put("definitions", nil)
	f.answers("a definition that has secrets is gone", second, "one", http.StatusAccepted, http.StatusAccepted)
	f.settled("a definition that has secrets is gone", false)

	f.define(second)
	f.secrets.put("default", map[string]string{"stripe": "# none", "acme": "two"})
	f.answers("broken secrets", second, "one", http.StatusAccepted, http.StatusAccepted)
	f.settled("broken secrets", false)

	f.secrets.put("default", map[string]string{"stripe": "other", "acme": "two"})
	f.answers("rotated", second, "two", http.StatusAccepted, http.StatusUnauthorized)
	f.settled("rotated", true)
}

// TestRefusedSecretsAreNotTold reads what is logged of secrets that cannot be
// used.
func TestRefusedSecretsAreNotTold(t *testing.T) {
	var logged bytes.Buffer
	files := &mount{t: t, dir: t.TempDir()}
	files.put("default", map[string]string{"svix": "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
	cfg := config(t, kafkatest.New(t))
	cfg.Secrets, cfg.SecretsDir = "", files.dir
	s, err := New(cfg, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.producer.Close)
	files.put("default", map[string]string{"svix": "whsec_hunter2!"})
	for range 3 {
		s.setup.Look(t.Context())
	}
	if text := logged.String(); strings.Contains(text, "hunter2") || strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "svix:1") {
		t.Errorf("logged:\n%s", text)
	}
}
