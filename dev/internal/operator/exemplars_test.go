// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/stage/runtest"
)

// histograms are the four latencies, as docs/metrics.md names them: the metric, and a
// label of the series that is meant.
var histograms = map[string][2]string{
	"request to ack": {"hookstream_ingest_request_duration_seconds_bucket", `outcome="accepted"`},
	"ack to event":   {"hookstream_consumer_latency_seconds_bucket", `hookstream-transform"`},
	"event to row":   {"hookstream_consumer_latency_seconds_bucket", `hookstream-sink"`},
	"request to row": {"hookstream_sink_latency_seconds_bucket", ""},
}

// exemplars waits until each latency leads to one of the traces that are wanted of it.
func exemplars(t *testing.T, s *stack.Stack, want map[string][]string) {
	t.Helper()
	for name, ids := range want {
		runtest.Eventually(t, "an exemplar of "+name, func() bool {
			metric, label := histograms[name][0], histograms[name][1]
			for line := range strings.Lines(openMetrics(t, s)) {
				series, exemplar, found := strings.Cut(line, " # ")
				if found && strings.HasPrefix(series, metric+"{") && strings.Contains(series, label) &&
					slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(exemplar, `trace_id="`+id+`"`) }) {
					return true
				}
			}
			return false
		})
	}
}

// openMetrics is what a scraper reads that asks for exemplars.
func openMetrics(t *testing.T, s *stack.Stack) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.AdminURL("ingest")+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/openmetrics-text; version=1.0.0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
