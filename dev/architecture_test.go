// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const project = "github.com/hookstream/hookstream/"

// mayKnow is the direction between the modules: schemas ← stage ← services ← dev.
var mayKnow = map[string][]string{
	"schemas":   {},
	"stage":     {"schemas"},
	"ingest":    {"schemas", "stage"},
	"transform": {"schemas", "stage"},
	"sink":      {"schemas", "stage"},
	"dlq":       {"schemas", "stage"},
	"dev":       {"schemas", "stage", "ingest", "transform", "sink", "dlq"},
}

// testOnly are packages that a production program must not link.
var testOnly = []string{
	"github.com/twmb/franz-go/pkg/kfake",
	"github.com/twmb/franz-go/pkg/sr/srfake",
	"github.com/testcontainers/testcontainers-go",
	"pgregory.net/rapid",
	"net/http/httptest",
	"testing",
}

func TestModulesKnowOnlyWhatTheyMay(t *testing.T) {
	for module, allowed := range mayKnow {
		for _, dep := range deps(t, "../"+module, "-test", "./...") {
			rest, ours := strings.CutPrefix(dep, project)
			if !ours {
				continue
			}
			other, _, _ := strings.Cut(rest, "/")
			other = strings.TrimSuffix(strings.TrimSuffix(other, ".test"), "_test")
			if other != module && !slices.Contains(allowed, other) {
				t.Errorf("%s depends on %s", module, dep)
			}
		}
	}
}

func TestProgramsLinkNothingOfTests(t *testing.T) {
	for program, module := range map[string]string{"ingest": "ingest", "transform": "transform", "sink": "sink", "dlq": "dlq", "hookstream": "dlq"} {
		for _, dep := range deps(t, "../"+module, "./cmd/"+program) {
			for _, banned := range testOnly {
				if dep == banned || strings.HasPrefix(dep, banned+"/") {
					t.Errorf("the program %s links %s", program, dep)
				}
			}
		}
	}
}

// TestOneFileKnowsAvro keeps the library replaceable.
func TestOneFileKnowsAvro(t *testing.T) {
	for _, module := range []string{"schemas", "stage", "ingest", "transform", "sink", "dlq"} {
		out := goList(t, "../"+module, "-f", "{{.ImportPath}} {{join .Imports \" \"}}", "./...")
		for line := range strings.Lines(out) {
			fields := strings.Fields(line)
			if slices.Contains(fields[1:], "github.com/twmb/avro") && fields[0] != project+"schemas/event" {
				t.Errorf("%s imports the Avro library; go through schemas/event", fields[0])
			}
		}
	}
}

func deps(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	return strings.Fields(goList(t, dir, append([]string{"-deps", "-f", "{{.ImportPath}}"}, args...)...))
}

func goList(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v in %s: %v", args, dir, err)
	}
	return string(out)
}
