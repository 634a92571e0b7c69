// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

// only is the only span and its attributes.
func only(t *testing.T, spans tracingtest.Spans) (sdktrace.ReadOnlySpan, map[string]string) {
	t.Helper()
	ended := spans.Ended()
	if len(ended) != 1 {
		t.Fatalf("%d spans", len(ended))
	}
	return ended[0], tracingtest.Attributes(ended[0])
}

func TestASpanSaysWhichEventARequestHeld(t *testing.T) {
	recorder := tracingtest.Record(t, sdktrace.AlwaysSample())
	w := newWorld(t)
	r := stripe(body2KB)
	r.Header.Set("X-Request-Id", "abc")
	rec := w.do(r)
	if rec.Code != http.StatusAccepted {
		t.Fatal(rec.Body)
	}
	span, got := only(t, recorder)
	for key, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/webhooks/{provider}", "http.response.status_code": "202",
		"hookstream.provider": "stripe", "hookstream.correlation_id": "abc", "hookstream.outcome": "accepted", "cloudevents.event_id": rec.body.EventID,
	} {
		if got[key] != want || want == "" {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if span.Name() != "POST /webhooks/{provider}" || span.SpanKind() != trace.SpanKindServer || got["error.type"] != "" || got["hookstream.tenant"] != "" {
		t.Errorf("%s with %v", span.Name(), got)
	}
}

// TestRequestsThatFailAreAlwaysRecorded: also where nobody sampled them. What the
// sender did wrong is no failure of ours.
func TestRequestsThatFailAreAlwaysRecorded(t *testing.T) {
	recorder := tracingtest.Record(t, tracing.Keep(sdktrace.NeverSample()))
	w := newWorld(t)
	w.do(stripe(body2KB))
	forged := stripe(body2KB)
	forged.Header.Set("Stripe-Signature", "t=1,v1=00")
	w.do(forged)
	w.kept.err = errors.New("no broker")
	problem := w.do(stripe(body2KB))
	if problem.Code != http.StatusServiceUnavailable {
		t.Fatal(problem.Code)
	}
	span, got := only(t, recorder)
	if got["error.type"] != "not_acknowledged" || span.Status().Code != codes.Error || got["hookstream.correlation_id"] == "" {
		t.Errorf("status %v, attributes %v", span.Status(), got)
	}
	if id := span.SpanContext().TraceID().String(); !strings.Contains(problem.Body.String(), id) || !strings.Contains(w.log.String(), id) {
		t.Errorf("the answer and the log do not name the trace %s: %s", id, problem.Body)
	}
}
