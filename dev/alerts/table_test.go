// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const table = "../../docs/metrics.md"

// values are what a label may say; nil where that is open.
type values []string

// metrics are the labels of each series by its name, as Prometheus stores them.
type metrics map[string]map[string]values

// theirs are the metrics of others that rules and dashboards use: Prometheus's,
// the Go client's, and the collector's.
var theirs = metrics{
	"up":                             nil,
	"process_resident_memory_bytes":  nil,
	"process_cpu_seconds_total":      nil,
	"kafka_consumer_group_lag":       {"group": nil, "topic": nil, "partition": nil},
	"kafka_partition_current_offset": {"topic": nil, "partition": nil},
	"kafka_partition_oldest_offset":  {"topic": nil, "partition": nil},
}

// target are the labels that Prometheus adds to all series: what it scraped.
var target = map[string]values{"job": {"ingest", "transform", "sink", "dlq", "kafka"}, "instance": nil}

// documented reads the tables of docs/metrics.md, which a test holds to the
// source and to a running pipeline.
func documented(t *testing.T) metrics {
	t.Helper()
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	all := metrics{}
	for name, labels := range theirs {
		all.add(name, labels)
	}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if len(cells) != 6 || !strings.HasPrefix(line, "| `hookstream.") {
			continue
		}
		name, labels := strings.Trim(cells[1], "`"), labelsIn(cells[4])
		if cells[2] != "histogram" {
			all.add(name, labels)
			continue
		}
		all.add(name+"_sum", labels)
		all.add(name+"_count", labels)
		all.add(name+"_bucket", labels, "le")
	}
	if len(all) <= len(theirs) {
		t.Fatalf("%s has no tables of metrics", table)
	}
	return all
}

func (m metrics) add(name string, labels map[string]values, more ...string) {
	m[name] = maps.Clone(target)
	maps.Copy(m[name], labels)
	for _, l := range more {
		m[name][l] = nil
	}
}

var (
	labelInCell = regexp.MustCompile("^`([a-z_]+)`: (.*)$")
	closed      = regexp.MustCompile("^`[^`]+`(?:, `[^`]+`)*$")
)

// labelsIn reads a cell of labels. Values are known where the cell lists them and
// says nothing else.
func labelsIn(cell string) map[string]values {
	labels := map[string]values{}
	for l := range strings.SplitSeq(cell, "; ") {
		m := labelInCell.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		labels[m[1]] = nil
		if closed.MatchString(m[2]) {
			labels[m[1]] = strings.Split(strings.Trim(m[2], "`"), "`, `")
		}
	}
	return labels
}

func TestTheTableIsUnderstood(t *testing.T) {
	all := documented(t)
	for name, want := range map[string][]string{
		"hookstream_transform_records_total":               {"instance", "job", "outcome", "provider", "reason"},
		"hookstream_sink_latency_seconds_bucket":           {"instance", "job", "le"},
		"hookstream_consumer_lag":                          {"group", "instance", "job", "partition", "topic"},
		"hookstream_ingest_request_duration_seconds_count": {"instance", "job", "outcome", "provider", "status"},
	} {
		if got := slices.Sorted(maps.Keys(all[name])); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
	}
	if got := all["hookstream_transform_records_total"]["outcome"]; !slices.Contains(got, "dead-letter") {
		t.Errorf("outcomes of transform are %q", got)
	}
	if got := all["hookstream_transform_records_total"]["provider"]; got != nil {
		t.Errorf("providers are %q; they are as many as there are definitions", got)
	}
}
