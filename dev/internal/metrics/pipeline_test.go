// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/telemetry"
)

// TestPipelineMeasuresWhatIsDocumented runs everything, sends it the best and
// the worst, and holds each series to the table.
func TestPipelineMeasuresWhatIsDocumented(t *testing.T) {
	flush, err := telemetry.Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flush(context.Background()) })
	s := startStack(t)
	now := time.Now()
	plan := workload.NewPlan(8, 600, workload.Run(now), now, workload.DefaultMix)
	for _, phase := range plan.Phases {
		send(t, s, phase)
	}
	runtest.Eventually(t, "rows", func() bool { return len(family(t, "hookstream_sink_events_total").GetMetric()) > 0 })
	callAPI(t, s, http.MethodGet, "/v1/dead-letters?at_most=1", apiToken)
	runtest.Eventually(t, "counted dead letters", func() bool { return len(family(t, "hookstream_dlq_open").GetMetric()) > 0 })
	before := check(t)
	expectOf(t, "service", "hookstream_ready", "ingest", "transform", "sink", "dlq")

	// Names that nobody configured, in every place where a sender can put one.
	for i := range 300 {
		hostileRequest(t, s, i)
		callAPI(t, s, fmt.Sprintf("METHOD%d", i), fmt.Sprintf("/v1/dead-letters/nothing-%d", i), apiToken)
		callAPI(t, s, http.MethodGet, fmt.Sprintf("/made-up-%d", i), apiToken)
		callAPI(t, s, http.MethodGet, "/v1/stats", fmt.Sprintf("nobody-%d", i))
	}
	send(t, s, hostileEvents(now, 300))
	runtest.Eventually(t, "the hostile events", func() bool {
		return counted(t, "hookstream_transform_records_total") >= counted(t, "hookstream_ingest_events_total")
	})
	after := check(t)
	expectOf(t, "route", "hookstream_dlq_requests_total", "/v1/dead-letters", "/v1/dead-letters/{id...}", "/v1/stats", "other")
	// A few of the closed sets' values were not seen before: refusals,
	// dead letters, other partitions. 600 names would be hundreds of series.
	if grown := after - before; grown > 120 {
		t.Errorf("600 hostile names made %d series out of %d", after, before)
	}
}

func startStack(t *testing.T) *stack.Stack {
	t.Helper()
	return stacktest.Start(t, stack.Options{
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Secrets: workload.SecretList(), Unsafe: true,
		APIAddress: "127.0.0.1:0", APIToken: apiToken,
		Log: slog.New(slog.DiscardHandler),
	})
}

// apiToken is that of the API's caller.
const apiToken = "not-a-secret"

// callAPI calls the API of dead letters.
func callAPI(t *testing.T, s *stack.Stack, method, path, token string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.APIAddress()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

// expectOf expects that a label of a metric has had these values, and no others.
func expectOf(t *testing.T, label, metric string, want ...string) {
	t.Helper()
	got := map[string]bool{}
	for _, m := range family(t, metric).GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label {
				got[l.GetValue()] = true
			}
		}
	}
	slices.Sort(want)
	if values := slices.Sorted(maps.Keys(got)); !slices.Equal(values, want) {
		t.Errorf("%s has %s %q, want %q", metric, label, values, want)
	}
}

func send(t *testing.T, s *stack.Stack, events []*workload.Event) {
	t.Helper()
	sender := workload.Sender{URLs: []string{"http://" + s.Address()}, Connections: 8, Retries: 3}
	if err := sender.Phase(t.Context(), events, func(workload.Outcome) {}); err != nil {
		t.Fatal(err)
	}
}

// hostileRequest is a request to an endpoint, with a method and headers, that
// are all made up.
func hostileRequest(t *testing.T, s *stack.Stack, i int) {
	t.Helper()
	url := fmt.Sprintf("http://%s/webhooks/tenant-%d/provider-%d", s.Address(), i, i)
	req, err := http.NewRequestWithContext(t.Context(), fmt.Sprintf("METHOD%d", i), url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Correlation-Id", fmt.Sprintf("correlation-%d", i))
	req.Header.Set("User-Agent", fmt.Sprintf("agent-%d", i))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

// hostileEvents are signed, and of types and objects that nobody knows.
func hostileEvents(now time.Time, n int) []*workload.Event {
	var events []*workload.Event
	for i := range n {
		id := fmt.Sprintf("evt_hostile_%d_%d", now.UnixNano(), i)
		body := fmt.Sprintf(`{"id":%q,"object":"event","created":%d,"type":"type_%d.of_%d","data":{"object":{"id":"o_%d","object":"kind_%d"}}}`,
			id, now.Unix(), i, i, i, i)
		events = append(events, &workload.Event{
			Serial: id, Provider: "stripe", ID: id, Type: fmt.Sprintf("type_%d", i), At: now, Body: []byte(body), Header: http.Header{},
		})
	}
	return events
}

// check holds every series of ours to the table, and counts them.
func check(t *testing.T) (series int) {
	t.Helper()
	documented := map[string]instrument{}
	for _, i := range instruments(t) {
		documented[i.prometheus(t)] = i
	}
	for _, f := range gather(t) {
		if !strings.HasPrefix(f.GetName(), "hookstream_") {
			continue
		}
		i, ok := documented[f.GetName()]
		if !ok {
			t.Errorf("%s is not documented", f.GetName())
			continue
		}
		for _, m := range f.GetMetric() {
			series++
			checkLabels(t, i, m)
		}
	}
	return series
}

func checkLabels(t *testing.T, i instrument, m *dto.Metric) {
	t.Helper()
	allowed := map[string]label{}
	for _, l := range labels[i.name] {
		allowed[l.name] = l
	}
	for _, l := range m.GetLabel() {
		if a, ok := allowed[l.GetName()]; !ok || !a.ok(l.GetValue()) {
			t.Errorf("%s has %s=%q; documented are %q", i.name, l.GetName(), l.GetValue(), slices.Sorted(maps.Keys(allowed)))
		}
	}
}

func gather(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func family(t *testing.T, name string) *dto.MetricFamily {
	t.Helper()
	for _, f := range gather(t) {
		if f.GetName() == name {
			return f
		}
	}
	return nil
}

// counted is the sum of a counter's series.
func counted(t *testing.T, name string) (sum float64) {
	t.Helper()
	for _, m := range family(t, name).GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	return sum
}
