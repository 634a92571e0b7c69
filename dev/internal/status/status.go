// SPDX-License-Identifier: Apache-2.0

// Package status reads the pipeline's own metrics and renders them as one line
// for a person who watches.
package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Snapshot is the state of the pipeline at one time.
type Snapshot struct {
	At          time.Time
	Accepted    float64
	Refused     float64
	Duplicates  float64
	Rows        float64
	DeadLetters float64
	// Lag is in records; negative is unknown.
	Lag int64
	// latency is the histogram of request to row.
	latency histogram
}

// Line compares two snapshots: totals, the rate of accepted webhooks, and the
// latency of what was applied in between.
func Line(before, now *Snapshot) string {
	seconds := now.At.Sub(before.At).Seconds()
	rate := (now.Accepted - before.Accepted) / math.Max(seconds, 0.001)
	window := now.latency.since(before.latency)
	parts := []string{
		fmt.Sprintf("accepted %s (%.0f/s)", count(now.Accepted), rate),
		"refused " + count(now.Refused),
		"duplicates " + count(now.Duplicates),
		"rows " + count(now.Rows),
		"dead letters " + count(now.DeadLetters),
		"lag " + lag(now.Lag),
	}
	if window.count > 0 {
		parts = append(parts, fmt.Sprintf("request to row p50 %s p99 %s", millis(window.quantile(0.5)), millis(window.quantile(0.99))))
	}
	return strings.Join(parts, "  ")
}

// count groups thousands.
func count(n float64) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func lag(n int64) string {
	if n < 0 {
		return "?"
	}
	return count(float64(n))
}

func millis(seconds float64) string { return fmt.Sprintf("%.0f ms", seconds*1000) }

// family sums the counters of a metric whose labels satisfy keep.
func family(families []*dto.MetricFamily, name string, keep func(labels map[string]string) bool) float64 {
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if keep == nil || keep(labels(m)) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func labels(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

// Read takes a snapshot of the process's metrics.
func Read(gatherer prometheus.Gatherer, lag int64) (*Snapshot, error) {
	families, err := gatherer.Gather()
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s := &Snapshot{At: time.Now(), Lag: lag}
	s.read(families)
	return s, nil
}

// read picks what the services count. Prometheus names are OpenTelemetry's with
// the unit and _total added.
func (s *Snapshot) read(families []*dto.MetricFamily) {
	s.Accepted = family(families, "hookstream_ingest_requests_total", func(l map[string]string) bool { return l["status"] == "202" })
	s.Refused = family(families, "hookstream_ingest_requests_total", func(l map[string]string) bool { return l["status"] != "202" })
	s.Duplicates = family(families, "hookstream_transform_records_total", func(l map[string]string) bool { return l["outcome"] == "duplicate" })
	s.Rows = family(families, "hookstream_sink_events_total", nil)
	s.DeadLetters = family(families, "hookstream_transform_records_total", func(l map[string]string) bool { return l["outcome"] == "dead-letter" }) +
		family(families, "hookstream_sink_dead_letters_total", nil)
	s.latency = sumHistograms(families, "hookstream_sink_latency_seconds")
}
