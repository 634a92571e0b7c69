// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// series are the names that Prometheus stores.
func series(t *testing.T) (known []string) {
	t.Helper()
	for _, i := range instruments(t) {
		name := i.prometheus(t)
		if i.kind == "Histogram" {
			known = append(known, name+"_bucket", name+"_sum", name+"_count")
			continue
		}
		known = append(known, name)
	}
	return known
}

// rule is an alerting rule.
type rule struct {
	Alert       string            `yaml:"alert"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(read(t, "deploy/prometheus/rules.yml"), &file); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no rules")
	}
	return all
}

const runbookURL = "https://github.com/hookstream/hookstream/blob/main/"

// TestEveryAlertHasARunbook checks the links both ways, and that a runbook names
// its alerts and only metrics that exist. A runbook of one cause may be reached from
// that of an alert instead.
func TestEveryAlertHasARunbook(t *testing.T) {
	linked := map[string]string{}
	for _, r := range rules(t) {
		path, ok := strings.CutPrefix(r.Annotations["runbook_url"], runbookURL)
		if !ok || r.Annotations["summary"] == "" || r.Labels["severity"] == "" {
			t.Errorf("%s lacks a runbook, a summary or a severity", r.Alert)
			continue
		}
		linked[path] = r.Alert
		if !strings.Contains(string(read(t, path)), "`"+r.Alert+"`") {
			t.Errorf("%s does not name %s", path, r.Alert)
		}
	}
	known := series(t)
	for _, path := range glob(t, "docs/runbooks/*.md") {
		if linked[path] == "" && !ledTo(t, path, linked) {
			t.Errorf("%s belongs to no alert, and no runbook of one leads to it", path)
		}
		for _, name := range regexp.MustCompile(`hookstream_[a-z_]+`).FindAllString(string(read(t, path)), -1) {
			if !slices.Contains(known, name) && !slices.Contains(known, name+"_bucket") {
				t.Errorf("%s names %s, which is not measured", path, name)
			}
		}
	}
}

// ledTo reports whether a runbook that an alert links to links to path.
func ledTo(t *testing.T, path string, linked map[string]string) bool {
	t.Helper()
	for from := range linked {
		if strings.Contains(string(read(t, from)), "]("+filepath.Base(path)) {
			return true
		}
	}
	return false
}

func glob(t *testing.T, pattern string) (paths []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(found), err)
	}
	for _, f := range found {
		path, err := filepath.Rel(root, f)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.ToSlash(path))
	}
	return paths
}

// read is a file of the repository.
func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
