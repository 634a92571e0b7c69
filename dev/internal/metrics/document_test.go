// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/golden"
)

// TestMetricsAreDocumented holds docs/metrics.md to the source: every instrument
// that the services make, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	want := document(t)
	path := filepath.Join(root, "docs/metrics.md")
	golden.Check(t, path, []byte(want))
}

const introduction = `# Metrics

Generated from the instruments in the source and the labels that a test checks on a
running pipeline; do not edit. Every service serves them at ` + "`/metrics`" + ` of its
admin address, for Prometheus, in OpenMetrics where the scraper asks for it. The
histograms then carry exemplars: the trace of one request or record a bucket, where
traces are sampled. Alerts on them are in ` + "`deploy/prometheus/rules.yml`" + `, each with a
[runbook](runbooks/).

Labels are closed sets or names from the configuration. Nothing that a sender
chooses (event types, keys, ids, paths, addresses) is one, so the number of series
is bounded whatever is sent.

| asked for | is |
|---|---|
| request-to-ack | ` + "`hookstream.ingest.request.duration`, `outcome=accepted`" + ` |
| ack-to-event | ` + "`hookstream.consumer.latency`, `group=hookstream-transform`" + ` |
| event-to-row | ` + "`hookstream.consumer.latency`, `group=hookstream-sink`" + ` |
| request-to-row | ` + "`hookstream.sink.latency`" + ` |
| duplicates | ` + "`hookstream.transform.records`, `outcome=duplicate`; beyond the window `hookstream.sink.repeats`" + ` |
| conflicts | ` + "`hookstream.transform.records`, `reason=identity_conflict`" + ` |
`

const others = `
## What others measure

| metric | labels | meaning |
|---|---|---|
| ` + "`messaging_kafka_*`" + ` | ` + "`node_id`, `topic`, `outcome`" + ` | the Kafka client: connections, bytes and records by broker and topic |
| ` + "`go_*`, `process_*`, `promhttp_*`" + ` | | Go's runtime, the process, and scrapes |
| ` + "`target_info`" + ` | service, version, host | the OpenTelemetry resource |
| ` + "`kafka_consumer_group_lag`" + ` | ` + "`group`, `topic`, `partition`" + ` | the same lag as the broker sees it, from the collector: it is there while a service is not |
`

func document(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(introduction)
	section := ""
	missing := maps.Clone(labels)
	for _, i := range instruments(t) {
		documented, ok := labels[i.name]
		if !ok {
			t.Errorf("%s: add it with its labels to labels_test.go", i.name)
			continue
		}
		delete(missing, i.name)
		if s := sectionOf(i.name); s != section {
			section = s
			fmt.Fprintf(&b, "\n## %s\n\n| OpenTelemetry | Prometheus | type | unit | labels | meaning |\n|---|---|---|---|---|---|\n", s)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s | %s |\n", i.name, i.prometheus(t), i.prometheusType(), i.unit, describe(documented), i.meaning)
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s: labels_test.go has it and no service makes it", name)
	}
	b.WriteString(others)
	return b.String()
}

// sectionOf is the second part of a name: whose metric it is.
func sectionOf(name string) string {
	switch part := strings.Split(name, ".")[1]; part {
	case "consumer":
		return "transform and sink"
	case "transactions":
		return "transform"
	case "ready":
		return "every service"
	case "reloads":
		return "files that are followed"
	default:
		return part
	}
}

func describe(all []label) string {
	var out []string
	for _, l := range all {
		out = append(out, "`"+l.name+"`: "+l.values)
	}
	return strings.Join(out, "; ")
}
