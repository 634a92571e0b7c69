// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"log/slog"
	"net/http"
	"strconv"

	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/correlation"
	"github.com/hookstream/hookstream/stage/problem"
)

// reply is an answer that is no refusal.
type reply struct {
	status      int
	contentType string
	body        []byte
	// outcome is the metric label.
	outcome string
}

// rendered is a definition's answer, whose body was filled in.
func rendered(a *provider.Answer, body, outcome string) *reply {
	return &reply{status: a.Status, contentType: a.ContentType, body: []byte(body), outcome: outcome}
}

// answer registers work for a pattern, with what every request gets around it: a correlation id, a trace, a
// metric, a log line and exactly one answer.
func (h *Handler) answer(pattern string, work func(*exchange) (*reply, *refusal)) http.HandlerFunc {
	spans := newSpans(pattern)
	handle := func(w http.ResponseWriter, r *http.Request) {
		b := spans.of(r.Method)
		ctx, span := h.tracer.Start(r.Context(), b.name, b.linked(r)...)
		defer span.End()
		x := &exchange{
			Request: r, ctx: ctx, received: h.cfg.Now(), log: h.cfg.Log,
			correlationID: correlation.ID(r.Header), provider: unknownProvider,
		}
		h.metrics.inFlight.Add(1)
		defer h.metrics.inFlight.Add(-1)

		rep, refused := work(x)
		w.Header()[correlation.Header] = []string{x.correlationID}
		l := labels{provider: x.provider}
		var err error
		if refused == nil {
			l.status, l.outcome = rep.status, rep.outcome
			err = writeReply(w, rep)
		} else {
			l.status, l.outcome = refused.Status, refused.outcome
			h.logRefusal(x, refused)
			err = writeRefusal(w, x, refused)
		}
		if err != nil {
			x.note(slog.LevelDebug, "the sender did not wait for its answer", slog.Int("status", l.status), slog.Any("error", err))
		}
		if span.IsRecording() {
			describe(span, x, l)
		} else {
			h.keep(x, b, l)
		}
		h.metrics.answered(ctx, l, h.cfg.Now().Sub(x.received))
	}
	h.mux.HandleFunc(pattern, handle)
	return handle
}

// lengthIsKnown is up to how many bytes net/http finds out the length of an answer
// by itself.
const lengthIsKnown = 2 << 10

// nosniff is shared by all answers, which only read it.
var nosniff = []string{"nosniff"}

func writeReply(w http.ResponseWriter, r *reply) error {
	header := w.Header()
	if r.contentType != "" {
		header.Set("Content-Type", r.contentType)
		// A handshake repeats what it was sent: no browser is to guess that
		// it is more than the type says.
		header["X-Content-Type-Options"] = nosniff
	}
	if len(r.body) > lengthIsKnown {
		header.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	w.WriteHeader(r.status)
	if len(r.body) == 0 {
		return nil
	}
	_, err := w.Write(r.body)
	return err
}

func writeRefusal(w http.ResponseWriter, x *exchange, r *refusal) error {
	for _, kv := range r.header {
		w.Header().Set(kv[0], kv[1])
	}
	p := problem.Problem{
		Type: r.Type, Detail: r.detail, Instance: x.URL.EscapedPath(),
		CorrelationID: x.correlationID, TraceID: traceID(x.ctx),
	}
	if x.settled {
		p.Tenant = x.tenant
	}
	if x.webhook != nil {
		p.EventID = x.webhook.EventID
	}
	return p.Write(w)
}

// logRefusal writes at most a line a second about one provider's refusals of one
// kind.
func (h *Handler) logRefusal(x *exchange, r *refusal) {
	level := slog.LevelInfo
	switch {
	case r.Status >= http.StatusInternalServerError:
		level = slog.LevelWarn
	case r.Status == http.StatusNotFound:
		level = slog.LevelDebug // whoever scans the internet fills no log
	}
	if !x.log.Enabled(x.ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.Int("status", r.Status), slog.String("outcome", r.outcome), slog.String("detail", r.detail)}
	if r.err != nil {
		attrs = append(attrs, slog.Any("error", r.err))
	}
	h.noteSampled(x, x.webhook, r.outcome, level, "refused", attrs...)
}

// noteSampled is noteOf for lines that any number of requests may cause.
func (h *Handler) noteSampled(x *exchange, w *record.Webhook, outcome string, level slog.Level, message string, attrs ...slog.Attr) {
	skipped, ok := h.lines.allow(kind{x.provider, outcome}, x.received)
	if !ok {
		return
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int("like_it_since_the_last", skipped))
	}
	x.noteOf(w, level, message, attrs...)
}
