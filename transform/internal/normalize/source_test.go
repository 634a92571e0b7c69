// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/providertest"
)

var definition = providertest.Acme("key") + `events:
  - types: [payment]
    entity: payment
    requires: {body.key: "*"}
    fields:
      amount: AMOUNT
`

func TestSourceFollowsTheFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(revision, amount string) {
		t.Helper()
		text := strings.NewReplacer("revision: 1", "revision: "+revision, "AMOUNT", amount).Replace(definition)
		if err := os.WriteFile(filepath.Join(dir, "acme.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	write("1", ".amount")
	s, err := NewSource(dir, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what, revision, amount string
		inForce                int32
		logged                 string
	}{
		{"nothing changed", "1", ".amount", 1, ""},
		{"corrected", "2", ".total", 2, "changed files are in force"},
		{"broken", "3", ".total |", 2, "acme.yaml"},
		{"revision not raised", "2", ".sum", 2, "raise it"},
		{"raised", "3", ".sum", 3, "changed files are in force"},
	} {
		log.Reset()
		write(step.revision, step.amount)
		s.Look(t.Context())
		s.Look(t.Context()) // what cannot be used is told of then
		if got := s.Value().Catalog["acme"].Revision; got != step.inForce {
			t.Errorf("%s: revision %d is in force, want %d", step.what, got, step.inForce)
		}
		if !strings.Contains(log.String(), step.logged) || step.logged == "" && log.Len() > 0 {
			t.Errorf("%s: logged %q, want %q", step.what, log.String(), step.logged)
		}
		log.Reset()
		if s.Look(t.Context()); log.Len() > 0 {
			t.Errorf("%s: the same folder was told of again: %s", step.what, log.String())
		}
	}
	if _, err := NewSource(filepath.Join(dir, "missing"), nil, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_DEFINITIONS_DIR") {
		t.Errorf("a missing folder gives %v", err)
	}
}
