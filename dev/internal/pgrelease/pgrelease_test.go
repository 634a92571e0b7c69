// SPDX-License-Identifier: Apache-2.0

package pgrelease

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnpack has a Maven that gives an archive with one file.
func TestUnpack(t *testing.T) {
	root, programs := t.TempDir(), t.TempDir()
	t.Setenv("HOME", root)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(root, "cache"))
	must(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "bin", "postgres"), []byte("it"), 0o755))
	must(t, exec.Command("tar", "-cJf", filepath.Join(root, "postgres-it.txz"), "-C", root, "bin").Run())
	script := `#!/bin/sh
grep -q '<version>17\.' pom.xml || exit 1
for arg in "$@"; do case $arg in -Doutput=*) mkdir "${arg#-Doutput=}"; cp '` + root + `/postgres-it.txz' "${arg#-Doutput=}" ;; esac; done`
	must(t, os.WriteFile(filepath.Join(programs, "mvn"), []byte(script), 0o755))
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))

	dir := t.TempDir()
	bin, err := Unpack(t.Context(), 17, dir, slog.New(slog.DiscardHandler))
	must(t, err)
	if text, err := os.ReadFile(filepath.Join(bin, "postgres")); err != nil || string(text) != "it" {
		t.Errorf("%s has %q, %v", bin, text, err)
	}
}

func TestUnpackKnowsTheTestedVersions(t *testing.T) {
	_, err := Unpack(t.Context(), 9, t.TempDir(), slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "[15 16 17 18]") {
		t.Errorf("Unpack() = %v, want the versions that there are", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
