// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"net/http"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/stage/tracing"
)

// spans are the traces of one route. What they begin with is made once.
type spans map[string]begin

// begin is how the spans of one method begin: the name, and the options.
type begin struct {
	name       string
	attributes []attribute.KeyValue
	options    []trace.SpanStartOption
}

// otherMethod keeps the attribute bounded, as OpenTelemetry's HTTP conventions
// ask.
const otherMethod = "_OTHER"

func newSpans(pattern string) spans {
	s := spans{}
	for _, method := range []string{
		http.MethodPost, http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, otherMethod,
	} {
		b := begin{name: method + " " + pattern, attributes: []attribute.KeyValue{
			semconv.HTTPRequestMethodKey.String(method), semconv.HTTPRoute(pattern),
		}}
		if method == otherMethod {
			b.name = "HTTP " + pattern
		}
		b.options = []trace.SpanStartOption{trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(b.attributes...)}
		s[method] = b
	}
	return s
}

func (s spans) of(method string) begin {
	if b, ok := s[method]; ok {
		return b
	}
	return s[otherMethod]
}

// linked are the options of a trace of its own. Senders are outside our trust, so their
// traceparent is a link: as a parent it would let them choose our trace ids and
// what is sampled.
func (b begin) linked(r *http.Request) []trace.SpanStartOption {
	opts := b.options
	if r.Header.Get("Traceparent") == "" {
		return opts
	}
	remote := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if link := trace.LinkFromContext(remote); link.SpanContext.IsValid() {
		return append(opts[:len(opts):len(opts)], trace.WithLinks(link))
	}
	return opts
}

// describe says what became of a request, and which event it held, where it was
// one.
func describe(span trace.Span, x *exchange, l labels) {
	if l.failed() {
		span.SetStatus(codes.Error, l.outcome)
		span.SetAttributes(semconv.ErrorTypeKey.String(l.outcome))
	}
	span.SetAttributes(
		tracing.Provider.String(l.provider),
		tracing.CorrelationID.String(x.correlationID),
		tracing.Outcome.String(l.outcome),
		semconv.HTTPResponseStatusCode(l.status))
	span.SetAttributes(tracing.TenantAttribute(x.tenant)...)
	if w := x.webhook; w != nil {
		span.SetAttributes(semconv.CloudEventsEventID(w.EventID), semconv.CloudEventsEventType(w.EventType))
	}
}

// failed reports whether the request failed on our side.
func (l labels) failed() bool { return l.status >= http.StatusInternalServerError }

// keep records a request that failed although nobody sampled it: in its trace, as
// a child of the span that was not recorded. What is shed is not worth it: it is
// counted, and there may be very much of it.
func (h *Handler) keep(x *exchange, b begin, l labels) {
	if !l.failed() || l.outcome == overloaded.Slug {
		return
	}
	_, span := h.tracer.Start(x.ctx, b.name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(x.received),
		trace.WithAttributes(append(slices.Clone(b.attributes), semconv.ErrorTypeKey.String(l.outcome))...))
	describe(span, x, l)
	span.End()
}

func traceID(ctx context.Context) string {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}
