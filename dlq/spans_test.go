// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

// TestReplayHasASpan: one root, linked to the traces of the dead letters and to
// the spans in which they are sent; a discard has none.
func TestReplayHasASpan(t *testing.T) {
	w := newWorld(t)
	w.many(3)
	spans := tracingtest.Record(t, tracing.Keep(sdktrace.NeverSample()))
	w.dlq("discard", "--event-id", "evt_2", "--why", "noise", "--yes").want(t, exitOK)
	if n := len(spans.Ended()); n != 0 {
		t.Errorf("a discard has %d spans", n)
	}
	w.dlq("replay", "--all", "--yes", "--replay-id", "night").want(t, exitOK, "2 of 2")
	replay := spans.Span(t, "the replay", func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "replay" })
	attributes := tracingtest.Attributes(replay)
	if replay.Parent().IsValid() || attributes["hookstream.replay.id"] != "night" || attributes["messaging.batch.message_count"] != "2" {
		t.Errorf("the replay has the parent %v and %v", replay.Parent(), attributes)
	}
	sent := map[string]bool{}
	for _, s := range spans.Ended() {
		if s.Name() == "send "+w.cfg.Topics.Raw && tracingtest.LinksTo(s, replay.SpanContext()) {
			sent[s.SpanContext().SpanID().String()] = true
		}
	}
	if len(sent) != 2 || len(spans.Ended()) != 3 {
		t.Errorf("%d records have a span with a link to the replay; %d spans", len(sent), len(spans.Ended()))
	}
	letter := tracing.SpanContext(w.read(w.cfg.Topics.DeadLetters)[0])
	if !tracingtest.LinksTo(replay, letter) {
		t.Errorf("the replay links to %v", replay.Links())
	}
	for _, r := range w.read(w.cfg.Topics.Raw) {
		if !sent[tracing.SpanContext(r).SpanID().String()] {
			id, _ := header.List(r.Headers).Get(header.ID)
			t.Errorf("%s does not carry the place of its span", id)
		}
	}
}

// TestReplayExportsItsSpans to a collector, before the command ends; without one
// it says so and replays all the same.
func TestReplayExportsItsSpans(t *testing.T) {
	var mu sync.Mutex
	var got bytes.Buffer
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(&got, r.Body)
	}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	w := newWorld(t)
	w.many(2)
	w.dlq("replay", "--event-id", "evt_0", "--yes", "--replay-id", "night-shift").want(t, exitOK, "1 of 1")
	mu.Lock()
	exported := bytes.Clone(got.Bytes())
	mu.Unlock()
	for _, part := range []string{"replay", "night-shift", "send " + w.cfg.Topics.Raw} {
		if !bytes.Contains(exported, []byte(part)) {
			t.Errorf("%q was not exported", part)
		}
	}

	collector.Close()
	r := w.dlq("replay", "--event-id", "evt_1", "--yes").want(t, exitOK, "1 of 1")
	if !bytes.Contains([]byte(r.err), []byte("spans are not exported")) {
		t.Errorf("it says %q", r.err)
	}
}
