// SPDX-License-Identifier: Apache-2.0

package verify_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
)

// mount is a folder of secrets as Kubernetes mounts it: files are links into a
// hidden folder, which is swapped as a whole.
type mount struct {
	t    *testing.T
	dir  string
	next int
}

func (m *mount) put(files map[string]string) {
	m.t.Helper()
	m.next++
	version := filepath.Join(m.dir, "..v"+string(rune('0'+m.next)))
	for name, text := range files {
		if err := os.MkdirAll(version, 0o700); err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(version, name), []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	swap := filepath.Join(m.dir, "..next")
	if err := os.Symlink(filepath.Base(version), swap); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(swap, filepath.Join(m.dir, "default")); err != nil {
		m.t.Fatal(err)
	}
}

func TestSourceFollowsChanges(t *testing.T) {
	_, verifiers := own(t, ed25519Verify, verify.Trust{})
	files := &mount{t: t, dir: t.TempDir()}
	files.put(map[string]string{"own": edKey})
	var logged bytes.Buffer
	gate := make(chan struct{}, 1)
	gate <- struct{}{}
	read := func() ([]secret.Entry, error) {
		<-gate
		return secret.Load(files.dir, "")
	}
	source, err := verify.NewSource(read, verifiers, slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ticks, done := make(chan time.Time), make(chan error)
	go func() { done <- source.Run(ctx, ticks) }()
	// A reading waits at the gate. It was worked off once Run takes a tick.
	ticks <- time.Time{}
	tick := func() { gate <- struct{}{}; ticks <- time.Time{} }
	keys := func(step string, want int) {
		t.Helper()
		if got := len(source.Keys("default", "own")); got != want {
			t.Fatalf("%s: %d keys, want %d", step, got, want)
		}
	}

	keys("at start", 1)
	tick()
	keys("unchanged", 1)
	other := strings.Repeat("11", 32)
	files.put(map[string]string{"own": edKey + "\n" + other, "own.verify-token": "asked"})
	tick()
	keys("one added", 2)
	if !source.VerifyToken("default", "own", "asked") || source.VerifyToken("default", "own", "other") || source.VerifyToken("acme", "own", "asked") {
		t.Error("the verify token is not the one that was added")
	}
	for _, broken := range []string{"hunter2", "", "# nothing"} {
		files.put(map[string]string{"own": broken})
		for range 3 {
			tick()
			keys("broken: those before stay", 2)
		}
	}
	files.put(map[string]string{"own": other})
	tick()
	keys("corrected", 1)

	cancel()
	close(gate)
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
	log := logged.String()
	if strings.Contains(log, "hunter2") || strings.Contains(log, edKey) {
		t.Errorf("the log tells a secret:\n%s", log)
	}
	// What is wrong is said once for each text.
	if changed, wrong := strings.Count(log, "read changed secrets"), strings.Count(log, "level=ERROR"); changed != 2 || wrong != 2 {
		t.Errorf("logged %d changes and %d failures, want 2 and 2:\n%s", changed, wrong, log)
	}
}

func TestSourceNeedsGoodSecretsAtStart(t *testing.T) {
	_, verifiers := own(t, ed25519Verify, verify.Trust{})
	read := func() ([]secret.Entry, error) { return secret.Load("", "default/own=hunter2") }
	if _, err := verify.NewSource(read, verifiers, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "entry 1") {
		t.Errorf("got %v", err)
	}
}
