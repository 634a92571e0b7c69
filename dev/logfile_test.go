// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEachRunHasItsLog(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	other := filepath.Join(dir, "hookstream.txt")
	for i := range keptLogs + 5 {
		old := filepath.Join(dir, fmt.Sprintf("hookstream-20260101T0000%02d-1.log", i))
		if err := os.WriteFile(old, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var p parts
	w, err := p.openLog()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(w, "a line"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{p.LogFile, filepath.Join(dir, logLink)} {
		if text, err := os.ReadFile(name); err != nil || string(text) != "a line\n" {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
	}
	logs, _ := filepath.Glob(filepath.Join(dir, logPattern))
	if len(logs) != keptLogs || logs[keptLogs-1] != p.LogFile {
		t.Errorf("%d logs are left, the newest %s; want %d and %s", len(logs), logs[len(logs)-1], keptLogs, p.LogFile)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}

	later, err := newLog(dir, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	if to, err := os.Readlink(filepath.Join(dir, logLink)); err != nil || filepath.Join(dir, to) != later.Name() {
		t.Errorf("the link leads to %s, %v; want %s", to, err, later.Name())
	}
}

func TestFarewellIsTrue(t *testing.T) {
	for _, c := range []struct {
		parts parts
		want  string
	}{
		{parts{}, "are gone; --data-dir"},
		{parts{DataDir: "data"}, "at its next start on the same data"},
		{parts{Brokers: []string{"b"}, DatabaseURL: "d"}, "at its next start on the same data"},
		{parts{Brokers: []string{"b"}}, "the next start applies all events anew"},
		{parts{DatabaseURL: "d"}, "embedded broker that is gone"},
	} {
		mustContain(t, (&runCommand{parts: c.parts}).farewell(), c.want)
	}
}

func mustContain(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%q is not in %s", want, text)
	}
}
