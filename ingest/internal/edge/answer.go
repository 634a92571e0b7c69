// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/ingest/internal/problem"
)

// answer is what every request gets around its work: a slot, a correlation id, a
// trace, a metric, a log line and exactly one answer.
func (h *Handler) answer(work func(*exchange) (*accepted, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, span := h.tracer.Start(r.Context(), "ingest "+r.Pattern, spanOptions(r)...)
		defer span.End()
		x := &exchange{
			Request: r, ctx: ctx, received: h.cfg.Now(), log: h.cfg.Log,
			correlationID: correlationID(r.Header), traceID: traceID(span), provider: unknownProvider,
		}
		h.metrics.inFlight.Add(ctx, 1)
		defer h.metrics.inFlight.Add(ctx, -1)

		ok, refused := h.admit(x, work)
		w.Header().Set(correlationHeader, x.correlationID)
		l := labels{provider: x.provider, status: http.StatusAccepted, outcome: "accepted"}
		var err error
		if refused == nil {
			err = writeAccepted(w, ok)
		} else {
			l.status, l.outcome = refused.Status, refused.outcome
			logRefusal(x, refused)
			if refused.Status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, refused.Title)
			}
			err = writeRefusal(w, x, refused)
		}
		if err != nil {
			x.note(slog.LevelDebug, "the sender did not wait for its answer", slog.Int("status", l.status), slog.Any("error", err))
		}
		span.SetAttributes(
			attribute.String("hookstream.provider", l.provider),
			attribute.String("hookstream.correlation_id", x.correlationID),
			attribute.String("hookstream.outcome", l.outcome),
			attribute.Int("http.response.status_code", l.status))
		h.metrics.answered(ctx, l, h.cfg.Now().Sub(x.received))
	}
}

// admit does the work if there is a slot. Over the bound it refuses at once
// instead of queueing: the provider queues better, and on disk.
func (h *Handler) admit(x *exchange, work func(*exchange) (*accepted, *refusal)) (*accepted, *refusal) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		return work(x)
	default:
		return nil, refuse(overloaded, "%d requests are being worked on; send it again later", cap(h.slots)).with("Retry-After", retryAfter)
	}
}

// spanOptions begin a trace of its own. Senders are outside our trust, so their
// traceparent is a link: as a parent it would let them choose our trace ids and
// what is sampled.
func spanOptions(r *http.Request) []trace.SpanStartOption {
	opts := []trace.SpanStartOption{
		trace.WithNewRoot(),
		trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(
			attribute.String("http.request.method", knownMethod(r.Method)),
			attribute.String("http.route", r.Pattern)),
	}
	if r.Header.Get("traceparent") == "" {
		return opts
	}
	remote := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	if link := trace.LinkFromContext(remote); link.SpanContext.IsValid() {
		opts = append(opts, trace.WithLinks(link))
	}
	return opts
}

// knownMethod keeps the attribute bounded, as OpenTelemetry's HTTP conventions
// ask.
func knownMethod(method string) string {
	switch method {
	case http.MethodPost, http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "_OTHER"
}

func traceID(span trace.Span) string {
	if id := span.SpanContext().TraceID(); id.IsValid() {
		return id.String()
	}
	return ""
}

func writeAccepted(w http.ResponseWriter, a *accepted) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(http.StatusAccepted)
	_, err = w.Write(data)
	return err
}

func writeRefusal(w http.ResponseWriter, x *exchange, r *refusal) error {
	for _, kv := range r.header {
		w.Header().Set(kv[0], kv[1])
	}
	return problem.Problem{
		Type: r.Type, Detail: r.detail, Instance: x.URL.EscapedPath(),
		CorrelationID: x.correlationID, TraceID: x.traceID,
	}.Write(w)
}

func logRefusal(x *exchange, r *refusal) {
	level := slog.LevelInfo
	switch {
	case r.Status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case r.Status == http.StatusNotFound:
		level = slog.LevelDebug // whoever scans the internet fills no log
	}
	attrs := []slog.Attr{slog.Int("status", r.Status), slog.String("outcome", r.outcome), slog.String("detail", r.detail)}
	if r.err != nil {
		attrs = append(attrs, slog.Any("error", r.err))
	}
	x.note(level, "refused", attrs...)
}
