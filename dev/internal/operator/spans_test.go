// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/stage/runtest"
)

// step is a span on the way: whose, of which kind, its name, and how it failed.
type step struct{ service, kind, name, failure string }

// followed waits until all steps of a trace have come, the first without a parent
// that is here and each the parent of the next, and looks whether each names the
// event.
func followed(t *testing.T, page *traces.Server, id string, steps ...step) []*traces.Span {
	t.Helper()
	var way []*traces.Span
	defer func() {
		if t.Failed() {
			show(t, page.Trace(id))
		}
	}()
	runtest.Eventually(t, fmt.Sprintf("%d steps of trace %s", len(steps), id), func() bool {
		way = find(page.Trace(id), steps)
		return way != nil
	})
	for i, span := range way {
		if span.Err != (steps[i].failure != "") || span.Attribute("error.type") != steps[i].failure {
			t.Errorf("%s: failed %v with %q, want %q", span.Name, span.Err, span.Attribute("error.type"), steps[i].failure)
		}
		for key, want := range map[string]string{
			"cloudevents.event_id": storyEvent, "cloudevents.event_type": "payment_intent.succeeded",
			"hookstream.provider": "stripe", "hookstream.correlation_id": storyCorrelation,
		} {
			if got := span.Attribute(key); got != want {
				t.Errorf("%s has %s=%q, want %q", span.Name, key, got, want)
			}
		}
	}
	return way
}

// find gives the spans of the steps, or nil where one is missing.
func find(trace *traces.Trace, steps []step) []*traces.Span {
	if trace == nil {
		return nil
	}
	var way []*traces.Span
	rows := trace.Waterfall()
	for i, want := range steps {
		at := slices.IndexFunc(rows, func(r traces.Row) bool {
			return r.Depth == i && (i == 0 || r.ParentID == way[i-1].SpanID) &&
				r.Service == want.service && r.Kind == want.kind && r.Name == want.name
		})
		if at < 0 {
			return nil
		}
		way = append(way, rows[at].Span)
	}
	return way
}

// show logs a trace that is not as it should be.
func show(t *testing.T, trace *traces.Trace) {
	if trace == nil {
		return
	}
	for _, r := range trace.Waterfall() {
		t.Logf("%*s%s %s %s failed %v %v", 2*r.Depth, "", r.Service, r.Kind, r.Name, r.Err, r.Attributes)
	}
}

// linkedToItsBatch looks whether the span of a record and that of its batch link
// to each other, and say the same of their transaction.
func linkedToItsBatch(t *testing.T, page *traces.Server, record *traces.Span) {
	t.Helper()
	runtest.Eventually(t, "the batch of "+record.Name, func() bool {
		return slices.ContainsFunc(page.LinkedFrom(record.TraceID), func(batch *traces.Span) bool {
			return batch.Service == record.Service && batch.Attribute("messaging.batch.message_count") == "1" &&
				batch.Attribute("hookstream.transaction.id") == record.Attribute("hookstream.transaction.id") &&
				slices.ContainsFunc(batch.Links, func(l traces.Link) bool { return l.TraceID == record.TraceID && l.SpanID == record.ParentID }) &&
				slices.ContainsFunc(record.Links, func(l traces.Link) bool { return l.TraceID == batch.TraceID && l.SpanID == batch.SpanID })
		})
	})
	if record.Attribute("hookstream.transaction.id") == "" || record.Attribute("hookstream.attempt") != "1" {
		t.Errorf("%s: %v", record.Name, record.Attributes)
	}
}
