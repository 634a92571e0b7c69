// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"slices"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	s := storeOf(100, 10)
	failed := span("cc01", "b", "a", "sink apply", 2, 3, keyEventID, "evt_3")
	failed.Err, failed.Message = true, "value too long"
	s.Add([]*Span{
		span("aa01", "a", "", "POST", 0, 9, keyProvider, "stripe", keyCorrelationID, "corr-1", keyOutcome, "accepted"),
		span("bb01", "a", "", "POST", 1, 2, keyProvider, "github", keyEventID, "evt_2"),
		span("cc01", "a", "", "replay", 2, 4, keyProvider, "stripe"), failed,
		span("dd01", "a", "", "process_batch", 3, 4, keyBatchSize, "2"),
	})
	for _, c := range []struct {
		name string
		f    Filter
		want []string
	}{
		{"all, the newest first", Filter{}, []string{"cc01", "bb01", "aa01"}},
		{"trace id", Filter{Text: "AA0"}, []string{"aa01"}},
		{"event id", Filter{Text: "evt_2"}, []string{"bb01"}},
		{"correlation id", Filter{Text: "corr-1"}, []string{"aa01"}},
		{"message", Filter{Text: "too long"}, []string{"cc01"}},
		{"provider", Filter{Provider: "stripe"}, []string{"cc01", "aa01"}},
		{"outcome", Filter{Outcome: "accepted"}, []string{"aa01"}},
		{"errors", Filter{Errors: true}, []string{"cc01"}},
		{"batches too", Filter{Batches: true}, []string{"dd01", "cc01", "bb01", "aa01"}},
		{"all at once", Filter{Text: "evt", Provider: "stripe", Errors: true}, []string{"cc01"}},
		{"none", Filter{Text: "evt_2", Errors: true}, nil},
	} {
		if got := ids(s.Find(c.f)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	trace := &Trace{ID: "t", Spans: []*Span{
		span("t", "b", "a", "publish", 1, 20, keyEventType, "charge.succeeded"),
		span("t", "a", "", "POST", 2, 10, keyProvider, "stripe", keyOutcome, "accepted"),
		span("t", "c", "a", "process", 3, 4, keyErrorType, "mapping_failed", keyOutcome, "dead-letter", keyReplayID, "r"),
	}, Dropped: 1}
	trace.Spans[0].Service, trace.Spans[0].Err, trace.Spans[2].Err = "transform", true, true
	got := trace.Summary()
	if got.Title != "stripe charge.succeeded" || got.Provider != "stripe" || got.Outcome != "dead-letter" || got.DeadLetter != "" ||
		got.Failure != "failed" || !got.Replay || trace.Spans[2].Failure() != "mapping_failed" || got.Duration != 19*time.Millisecond || !slices.Equal(got.Services, []string{"transform", "ingest"}) {
		t.Errorf("got %+v", got)
	}
}

func TestTitle(t *testing.T) {
	for want, spans := range map[string][]*Span{
		// The root names the trace although, by another clock, it came later.
		"replay":          {span("t", "b", "a", "send", 1, 2), span("t", "a", "", "replay", 2, 3)},
		"github webhook":  {span("t", "a", "", "POST /webhooks/{provider}", 0, 1, keyProvider, "github", keyOutcome, "signature_mismatch")},
		"stripe webhook":  {span("t", "a", "", "POST /webhooks/{provider}", 0, 1, keyProvider, "stripe", keyEventType, "unknown")},
		"stripe a.change": {span("t", "a", "", "POST /webhooks/{provider}", 0, 1, keyProvider, "stripe"), span("t", "b", "a", "send", 1, 2, keyEventType, "a.change")},
	} {
		if got := (&Trace{Spans: spans}).title(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestADeadLetterIsTheOutcome of a webhook that the sink gave up too, whose span tells
// none where the record was sampled only because it failed.
func TestADeadLetterIsTheOutcome(t *testing.T) {
	failed := span("t", "c", "b", "process events.payment.v1", 3, 6, keyErrorType, "constraint_violation", keyTopic, "events.payment.v1", keyPartition, "3", keyOffset, "94")
	failed.Service, failed.Err = "sink", true
	trace := &Trace{Spans: []*Span{
		span("t", "a", "", "POST", 0, 1, keyProvider, "stripe", keyOutcome, "accepted"),
		span("t", "b", "a", "process hookstream.raw", 1, 2, keyOutcome, "event", keyTopic, "hookstream.raw", keyPartition, "0", keyOffset, "7"),
		failed,
	}}
	if got := trace.Summary(); got.Outcome != "event" || got.DeadLetter != "" {
		t.Errorf("while it is tried again: %+v", got)
	}
	trace.Spans = append(trace.Spans, span("t", "d", "c", "send hookstream.dlq", 4, 5, keyTopic, "test.hookstream.dlq", keyPartition, "1", keyOffset, "2"))
	if got := trace.Summary(); got.Outcome != "dead-letter" || got.DeadLetter != "sink:events.payment.v1/3/94" || got.Failure != "constraint_violation" {
		t.Errorf("got %+v", got)
	}
}

// TestSpansOfOneProcessAreToldApart holds for the services that run in one, and
// for those whose spans stage makes.
func TestSpansOfOneProcessAreToldApart(t *testing.T) {
	for _, c := range []struct {
		scope string
		attrs []string
		want  string
	}{
		{module + "ingest/internal/edge", nil, "ingest"},
		{module + "stage/tracing", []string{keyClientID, "hookstream-transform-embedded-1"}, "transform"},
		{module + "stage/tracing", []string{keyGroup, "hookstream-sink", keyClientID, "x"}, "sink"},
		{module + "stage/tracing", []string{keyStage, "transform"}, "transform"},
		{module + "stage/tracing", nil, "process"},
		{"their/library", []string{keyGroup, "hookstream-sink"}, "process"},
	} {
		if got := part("process", c.scope, span("t", "a", "", "x", 0, 1, c.attrs...)); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if got := part("", "their/library", &Span{}); got != "unknown" {
		t.Errorf("without a name: %q", got)
	}
}
