// SPDX-License-Identifier: Apache-2.0

// Package status tells how an installation gets on: what its services count, and
// what is to be seen from outside of them, which is there while one is not.
package status

import (
	"fmt"
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
	// Lag are the records that wait for transform and for the sink.
	Lag Lag
	// Latency is from request to row, of what was applied last.
	Latency Latency
	// Trouble is what a service waits for; empty where all is well.
	Trouble Trouble
}

// Trouble is what is wrong, and why, unless that is the same.
type Trouble struct{ What, Why string }

// Lag counts records by who has still to read them; negative is unknown.
type Lag struct{ Transform, Sink int64 }

// Latency has quantiles. Both are zero where nothing was applied, or it is unknown.
type Latency struct{ P50, P99 time.Duration }

// count reads what the services count.
func (s *Snapshot) count(gatherer prometheus.Gatherer) error {
	families, err := gatherer.Gather()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	s.read(families)
	return nil
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
}

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
