// SPDX-License-Identifier: Apache-2.0

package command

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/record"
)

const guide = "../../../docs/adding-a-provider.md"

// fence is a fenced block: its language, what follows that, and its text.
var fence = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

// guided is what the guide has its reader write, and what it says they see.
type guided struct {
	files  map[string]string
	checks []string
}

func readGuide(t *testing.T) guided {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	g := guided{files: map[string]string{}}
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		language, file, content := block[1], block[2], block[3]
		if file != "" {
			g.files[file] = content
		}
		if language == "console" {
			output, ok := strings.CutPrefix(content, "$ ingest check-provider providers\n")
			if !ok {
				t.Fatalf("the guide shows another command: %s", content)
			}
			g.checks = append(g.checks, output)
		}
	}
	if len(g.files) != 3 || len(g.checks) != 2 {
		t.Fatalf("the guide has %d files and %d checks", len(g.files), len(g.checks))
	}
	return g
}

// TestGuideHolds does what docs/adding-a-provider.md says.
func TestGuideHolds(t *testing.T) {
	g := readGuide(t)
	t.Chdir(write(t, g.files))
	if r := ingest(t, "check-provider", "providers"); r.code != 0 || r.out != g.checks[0] {
		t.Errorf("exit code %d and\n%s, the guide says\n%s", r.code, r.out, g.checks[0])
	}
	paid := filepath.Join("providers", "examples", "acme", "paid.yaml")
	wrong := strings.Replace(g.files["providers/examples/acme/paid.yaml"], "key: A-7", "key: A-8", 1)
	if err := os.WriteFile(paid, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := ingest(t, "check-provider", "providers"); r.code != 1 || r.out != g.checks[1] {
		t.Errorf("exit code %d and\n%s, the guide says\n%s", r.code, r.out, g.checks[1])
	}
}

// TestProviderIsAddedByItsFileAlone sends a signed webhook of the guide's provider,
// which the catalogue does not have, to an edge.
func TestProviderIsAddedByItsFileAlone(t *testing.T) {
	g := readGuide(t)
	g.files["event.json"] = `{"id":"evt_82","type":"order.created","created":"2026-01-02T11:59:00Z","order":{"number":"A-8","currency":"jpy","total":"500"}}`
	g.files["secret"] = "acme-s3cret\n"
	t.Chdir(write(t, g.files))
	ingest(t, "sign", "--provider=acme", "--secret-file=secret", "--body=event.json").want(t, 1, `there is no provider "acme"`)

	h, stored := edgeFrom(t, "providers", "acme", "acme-s3cret", noon)
	r := ingest(t, "sign", "--definitions-dir=providers", "--provider=acme", "--secret-file=secret", "--body=event.json", "--at", noon.Format(time.RFC3339))
	if rec := send(t, h, r.out); rec.Code != 202 || len(*stored) != 1 {
		t.Fatalf("answered %d: %s", rec.Code, rec.Body)
	}
	w, err := record.ParseWebhook((*stored)[0])
	if err != nil {
		t.Fatal(err)
	}
	if w.Provider != "acme" || w.EventID != "evt_82" || w.BusinessKey != "A-8" || w.Defect != "" {
		t.Errorf("stored %+v", w)
	}
}
