// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// usage is an expression, and what names labels of its result: a rule's summary,
// which is a Go template, or a panel's legend.
type usage struct{ where, expr, summary, legend string }

// TestRulesAndDashboardsUseWhatIsMeasured holds every name and label to
// docs/metrics.md. To Prometheus one that is misspelled is only an empty result:
// the alert never fires, the panel stays empty.
func TestRulesAndDashboardsUseWhatIsMeasured(t *testing.T) {
	known := documented(t)
	for _, u := range slices.Concat(inRules(t), inDashboards(t)) {
		for _, problem := range problems(known, u) {
			t.Errorf("%s: %s, in %s", u.where, problem, u.expr)
		}
	}
}

// A test that finds nothing in what is wrong is none.
func TestMisspellingsAreFound(t *testing.T) {
	known := documented(t)
	for expr, want := range map[string]string{
		`sum by (group) (hookstream_consumer_lags)`: "hookstream_consumer_lags",
		`rate(hookstream_sink_events[5m])`:          "hookstream_sink_events",
		`hookstream_sink_latency_seconds`:           "hookstream_sink_latency_seconds",
		`{job="sink"}`:                              "names no metric",
		`sums(up)`:                                  "sums",
		`sum(up`:                                    "unclosed",
		`sum by (provder) (hookstream_ingest_events_total)`:         "provder",
		`sum without (provder) (hookstream_ingest_events_total)`:    "provder",
		`rate(hookstream_ingest_requests_total{stat="503"}[5m])`:    "stat",
		`hookstream_transform_records_total{outcome="dead_letter"}`: "dead_letter",
		`hookstream_transform_records_total{outcome=~"dead|event"}`: "dead",
		`up{job="sinks"} == 0`:                   "sinks",
		`up == on (node) up`:                     "node",
		`up * on (job) group_left (provider) up`: "provider",
		`sum by (status) (sum by (outcome) (hookstream_ingest_requests_total))`:   "status",
		`histogram_quantile(0.9, sum(hookstream_sink_latency_seconds_bucket))`:    "le",
		`up and on (job) max_over_time(sum by (job) (hookstream_nothing)[5m:1m])`: "hookstream_nothing",
	} {
		if got := problems(known, usage{expr: expr}); !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("%s: found %q, want %q", expr, got, want)
		}
	}
	for _, u := range []usage{{summary: "{{ $labels.stage }} waits"}, {legend: "{{stage}}"}, {legend: "{{job}} {{ stage }}"}} {
		u.expr = `sum by (job) (up)`
		if got := problems(known, u); len(got) != 1 {
			t.Errorf("%q: found %q", u, got)
		}
	}
}

func TestWhatIsRightIsTaken(t *testing.T) {
	known := documented(t)
	for _, u := range []usage{
		{expr: `sum by (job) (up) == 0`, summary: "{{ if $labels.job }}{{ $labels.job }}{{ end }} {{ $value | humanizeDuration }}"},
		{expr: `histogram_quantile(0.9, sum by (le, outcome) (rate(hookstream_ingest_request_duration_seconds_bucket{status=~"4..|503"}[5m])))`, legend: "{{outcome}}"},
		{expr: `label_replace(sum(up), "service", "sink", "", "") or sum by (part) (hookstream_ready)`, legend: "{{service}} {{part}}"},
		{expr: `hookstream_transform_records_total{outcome=~"dead-letter|event",outcome!=""}`, legend: "{{provider}}"},
	} {
		if got := problems(known, u); len(got) != 0 {
			t.Errorf("%s: found %q", u.expr, got)
		}
	}
}

func inRules(t *testing.T) (found []usage) {
	t.Helper()
	for name, r := range load(t) {
		found = append(found, usage{where: name, expr: r.Expr, summary: r.Annotations["summary"]})
	}
	return found
}

// grafanas are its variables, with what it might put in their places.
var grafanas = strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1m", "$__range", "1h")

func inDashboards(t *testing.T) (found []usage) {
	t.Helper()
	paths, err := filepath.Glob("../../deploy/grafana/dashboards/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d dashboards, %v", len(paths), err)
	}
	for _, path := range paths {
		found = append(found, inDashboard(t, path)...)
	}
	return found
}

func inDashboard(t *testing.T, path string) (found []usage) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				RefID  string `json:"refId"`
				Expr   string `json:"expr"`
				Legend string `json:"legendFormat"`
			} `json:"targets"`
		} `json:"panels"`
		Templating struct {
			List []json.RawMessage `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(dashboard.Templating.List) > 0 {
		t.Errorf("%s has variables of its own, which this test does not know", path)
	}
	for _, p := range dashboard.Panels {
		for _, q := range p.Targets {
			found = append(found, usage{where: filepath.Base(path) + ": " + p.Title + " " + q.RefID, expr: grafanas.Replace(q.Expr), legend: q.Legend})
		}
	}
	return found
}
