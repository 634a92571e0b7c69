// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryProblemIsDescribed counts the types in the source, because the
// language cannot list them.
func TestEveryProblemIsDescribed(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	defined := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") {
			defined += strings.Count(string(source), " problem.Type{Page")
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range Problems() {
		seen[p.Slug] = true
		if !strings.Contains(string(readme), "\n### "+p.Slug+"\n") {
			t.Errorf("ingest/README.md, where its URI leads, does not explain %s", p.Slug)
		}
	}
	if len(seen) != defined || defined == 0 {
		t.Errorf("%d problems are defined and %d are listed in Problems", defined, len(seen))
	}
}
