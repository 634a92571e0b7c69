// SPDX-License-Identifier: Apache-2.0

package secret

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCaptureOnceAndNotInForce(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "default"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := Captor{Dir: dir}
	if err := c.Capture("default", "notion", "secret_own"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "default", "notion.pending")
	data, err := os.ReadFile(file)
	if err != nil || string(data) != "secret_own\n" {
		t.Fatalf("the file holds %q, error %v", data, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, error %v", info.Mode(), err)
	}
	if entries, err := Load(dir, ""); err != nil || len(entries) != 0 {
		t.Errorf("a pending secret is in force: %d entries, error %v", len(entries), err)
	}
	if err := c.Capture("default", "notion", "secret_other"); err == nil {
		t.Error("a second secret replaced the first")
	}
}

func TestCaptureRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "default", "notion"), "configured")
	cases := map[string]struct{ dir, tenant, provider, text string }{
		"no folder configured": {"", "default", "linear", "x"},
		"tenant without any":   {dir, "made-up", "notion", "x"},
		"configured already":   {dir, "default", "notion", "x"},
		"name with a path":     {dir, "default", "../notion", "x"},
		"two lines":            {dir, "default", "linear", "x\ny"},
		"nothing":              {dir, "default", "linear", ""},
		"too long":             {dir, "default", "linear", strings.Repeat("x", maxCaptured+1)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := Captor{Dir: c.dir}.Capture(c.tenant, c.provider, c.text)
			if err == nil {
				t.Fatal("captured")
			}
			if c.text != "" && len(c.text) > 1 && strings.Contains(err.Error(), c.text) {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*", "*.pending")); err != nil || len(found) > 0 {
		t.Errorf("wrote %v, error %v", found, err)
	}
}
