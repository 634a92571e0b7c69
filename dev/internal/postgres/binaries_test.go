// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install puts fake binaries below root and returns their folder.
func install(t *testing.T, root, dir string, names ...string) string {
	t.Helper()
	bin := filepath.Join(root, dir)
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	empty := install(t, root, "empty")
	chosen := install(t, root, "chosen", "initdb", "postgres")
	nine := install(t, root, "lib/9.6/bin", "initdb", "postgres")
	seventeen := install(t, root, "lib/17/bin", "initdb", "postgres")
	install(t, root, "lib/18/bin", "postgres") // client-like: lacks initdb
	brew := install(t, root, "opt/postgresql@18/bin", "initdb", "postgres")

	linked := install(t, root, "linked")
	if err := os.Symlink(filepath.Join(nine, "initdb"), filepath.Join(linked, "initdb")); err != nil {
		t.Fatal(err)
	}
	lib, opt := filepath.Join(root, "lib/*/bin"), filepath.Join(root, "opt/postgresql*/bin")

	tests := []struct {
		name, pgBin, path string
		installations     []string
		want              string
		missing           bool
	}{
		{name: "PG_BIN wins", pgBin: chosen, path: nine, installations: []string{lib}, want: chosen},
		{name: "PG_BIN without binaries", pgBin: empty, path: nine, installations: []string{lib}, missing: true},
		{name: "PATH before installations", path: nine, installations: []string{lib}, want: nine},
		{name: "a link in PATH is followed", path: linked, want: nine},
		{name: "newest complete installation", path: empty, installations: []string{lib}, want: seventeen},
		{name: "newest of several places", path: empty, installations: []string{lib, opt}, want: brew},
		{name: "nothing", path: empty, missing: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PG_BIN", test.pgBin)
			t.Setenv("PATH", test.path)
			got, err := findBinaries(test.installations)
			if errors.Is(err, ErrNoBinaries) != test.missing || got != test.want {
				t.Errorf("findBinaries() = %q, %v; want %q, missing %t", got, err, test.want, test.missing)
			}
		})
	}
}

func TestStartSaysWhatToInstall(t *testing.T) {
	t.Setenv("PG_BIN", t.TempDir())
	_, err := Start(t.Context(), Options{})
	if !errors.Is(err, ErrNoBinaries) {
		t.Fatalf("Start() = %v, want ErrNoBinaries", err)
	}
	for _, advice := range []string{"PG_BIN is ", "apt-get install postgresql", "brew install postgresql", "--database-url", "docker run"} {
		if !strings.Contains(err.Error(), advice) {
			t.Errorf("error %q does not say %q", err, advice)
		}
	}
}
