// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// spans are the traces of one route. Their options are made once.
type spans struct {
	name     string
	byMethod map[string][]trace.SpanStartOption
}

// otherMethod keeps the attribute bounded, as OpenTelemetry's HTTP conventions
// ask.
const otherMethod = "_OTHER"

func newSpans(pattern string) *spans {
	s := &spans{name: "ingest " + pattern, byMethod: map[string][]trace.SpanStartOption{}}
	for _, method := range []string{
		http.MethodPost, http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, otherMethod,
	} {
		s.byMethod[method] = []trace.SpanStartOption{
			trace.WithNewRoot(),
			trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(
				attribute.String("http.request.method", method),
				attribute.String("http.route", pattern)),
		}
	}
	return s
}

// options begin a trace of its own. Senders are outside our trust, so their
// traceparent is a link: as a parent it would let them choose our trace ids and
// what is sampled.
func (s *spans) options(r *http.Request) []trace.SpanStartOption {
	opts, ok := s.byMethod[r.Method]
	if !ok {
		opts = s.byMethod[otherMethod]
	}
	if r.Header.Get("Traceparent") == "" {
		return opts
	}
	remote := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if link := trace.LinkFromContext(remote); link.SpanContext.IsValid() {
		return append(opts[:len(opts):len(opts)], trace.WithLinks(link))
	}
	return opts
}

func describe(span trace.Span, x *exchange, l labels) {
	if l.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, l.outcome)
	}
	span.SetAttributes(
		attribute.String("hookstream.provider", l.provider),
		attribute.String("hookstream.correlation_id", x.correlationID),
		attribute.String("hookstream.outcome", l.outcome),
		attribute.Int("http.response.status_code", l.status))
}

func traceID(span trace.Span) string {
	if id := span.SpanContext().TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}
