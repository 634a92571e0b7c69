// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// theirs are the metrics of others that rules and dashboards use: Prometheus's,
// the Go client's, and the collector's.
var theirs = []string{
	"up", "process_resident_memory_bytes", "process_cpu_seconds_total",
	"kafka_consumer_group_lag", "kafka_partition_current_offset", "kafka_partition_oldest_offset",
}

// words of PromQL that our expressions use. A word that is neither here nor a
// metric is a misspelling.
var words = []string{
	"sum", "max", "min", "by", "on", "and", "or", "unless", "offset", "time",
	"rate", "increase", "deriv", "histogram_quantile", "max_over_time", "avg_over_time", "label_replace",
}

func TestRulesAndDashboardsUseMetricsThatExist(t *testing.T) {
	known := series(t)
	for where, expr := range expressions(t) {
		for _, name := range namesIn(expr) {
			if !slices.Contains(known, name) {
				t.Errorf("%s: %s is not measured: %s", where, name, expr)
			}
		}
	}
}

// A test that finds nothing in what is wrong is none.
func TestMisspellingsAreFound(t *testing.T) {
	known := series(t)
	for _, expr := range []string{
		`sum by (group) (hookstream_consumer_lags)`, `rate(hookstream_sink_events[5m])`,
		`hookstream_sink_latency_seconds`, `sums(up)`, `up{job="sink"} == 0 and hookstream_nothing`,
	} {
		if !slices.ContainsFunc(namesIn(expr), func(n string) bool { return !slices.Contains(known, n) }) {
			t.Errorf("nothing is wrong with %s", expr)
		}
	}
}

// series are the names that Prometheus stores.
func series(t *testing.T) []string {
	t.Helper()
	known := slices.Concat(theirs, words)
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

var (
	// noise are the parts of an expression in which words are labels, values,
	// durations or Grafana's.
	noise = regexp.MustCompile(`"[^"]*"|\[[^]]*\]|\{[^}]*\}|\b(?:by|on) *\([^)]*\)|\boffset +[0-9]+[smhdw]`)
	word  = regexp.MustCompile(`[a-zA-Z_][a-zA-Z0-9_]*`)
)

func namesIn(expr string) []string { return word.FindAllString(noise.ReplaceAllString(expr, " "), -1) }

// rule is an alerting rule.
type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
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

// expressions are those of every rule and panel, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, r := range rules(t) {
		found[r.Alert] = r.Expr
	}
	for _, path := range glob(t, "deploy/grafana/dashboards/*.json") {
		var dashboard struct {
			Panels []struct {
				Title   string `json:"title"`
				Targets []struct {
					RefID string `json:"refId"`
					Expr  string `json:"expr"`
				} `json:"targets"`
			} `json:"panels"`
		}
		if err := json.Unmarshal(read(t, path), &dashboard); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, p := range dashboard.Panels {
			for _, q := range p.Targets {
				found[path+": "+p.Title+" "+q.RefID] = q.Expr
			}
		}
	}
	return found
}

const runbookURL = "https://github.com/hookstream/hookstream/blob/main/"

// TestEveryAlertHasARunbook checks the links both ways, and that a runbook names
// its alerts and only metrics that exist.
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
		if linked[path] == "" {
			t.Errorf("%s belongs to no alert", path)
		}
		for _, name := range regexp.MustCompile(`hookstream_[a-z_]+`).FindAllString(string(read(t, path)), -1) {
			if !slices.Contains(known, name) && !slices.Contains(known, name+"_bucket") {
				t.Errorf("%s names %s, which is not measured", path, name)
			}
		}
	}
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
