// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/failure"
)

// LogAttr says in a log line which event a record is about, by the names that
// every service uses: event_id, provider, tenant, correlation_id and replay_id, as
// far as the record has them, and its topic, partition and offset. Of an event it is
// also the transaction that wrote it, event_transaction_id, which is the ledger's. They
// stand beside the line's other attributes.
func LogAttr(r *kgo.Record) slog.Attr {
	attrs := make([]slog.Attr, 0, 9)
	for _, known := range [...]struct{ key, header string }{
		{"event_id", header.ID}, {"provider", header.Provider}, {"tenant", header.Tenant},
		{"correlation_id", header.CorrelationID}, {"replay_id", header.ReplayID},
	} {
		if value := get(r, known.header); len(value) > 0 {
			attrs = append(attrs, slog.String(known.key, string(value)))
		}
	}
	if len(get(r, header.Entity)) > 0 { // a raw record may have the one of its dead letter
		if id := get(r, header.TransactionID); len(id) > 0 {
			attrs = append(attrs, slog.String("event_transaction_id", string(id)))
		}
	}
	attrs = append(attrs, slog.String("topic", r.Topic), slog.Int("partition", int(r.Partition)), slog.Int64("offset", r.Offset))
	return slog.Attr{Value: slog.GroupValue(attrs...)}
}

// Within is ctx in the trace of r, for what is logged and measured of r alone:
// the span that r is processed in, or the one that wrote it.
func Within(ctx context.Context, r *kgo.Record) context.Context {
	if r.Context != nil {
		if span := trace.SpanFromContext(r.Context); span.SpanContext().IsValid() {
			return trace.ContextWithSpan(ctx, span)
		}
	}
	return trace.ContextWithRemoteSpanContext(ctx, SpanContext(r))
}

type transactionKey struct{}

// transaction is what the lines of an attempt have in common.
type transaction struct {
	id      string
	attempt int
}

// LogHandler adds to every line what its context knows: the transaction_id and
// attempt of the batch that is processed, and the trace_id. An attempt that was
// tried again in place counts each try.
func LogHandler(h slog.Handler) slog.Handler { return logHandler{h} }

type logHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, line slog.Record) error {
	if t, ok := ctx.Value(transactionKey{}).(transaction); ok {
		line.AddAttrs(slog.String("transaction_id", t.id))
		if !says(line, "attempt") {
			attempt := t.attempt
			if tries, ok := failure.TriesOf(ctx); ok {
				attempt = tries.Count
			}
			line.AddAttrs(slog.Int("attempt", attempt))
		}
	}
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() && !says(line, "trace_id") {
		line.AddAttrs(slog.String("trace_id", sc.TraceID().String()))
	}
	return h.Handler.Handle(ctx, line)
}

// says reports whether a line has an attribute of its own of that name.
func says(line slog.Record, name string) (found bool) {
	line.Attrs(func(a slog.Attr) bool {
		found = found || a.Key == name
		return !found
	})
	return found
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
