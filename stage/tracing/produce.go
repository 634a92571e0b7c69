// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"crypto/rand"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
)

// Producer gives every record that a client produces its place in a trace: one
// traceparent, that of its own span where its context is sampled. It is a hook
// of the client.
type Producer struct {
	tracer   trace.Tracer
	clientID string
}

var (
	_ kgo.HookProduceRecordBuffered   = (*Producer)(nil)
	_ kgo.HookProduceRecordUnbuffered = (*Producer)(nil)
)

// NewProducer makes the hook of a client.
func NewProducer(clientID string) *Producer { return &Producer{tracer(), clientID} }

// sending is the key of a record's own span in its context.
type sending struct{}

// replayed is the key of the place that a replay continues from.
type replayed struct{}

// OnProduceRecordBuffered implements kgo.HookProduceRecordBuffered. A record
// without a trace in its context keeps the headers that it has.
func (p *Producer) OnProduceRecordBuffered(r *kgo.Record) {
	if from, ok := r.Context.Value(replayed{}).(trace.SpanContext); ok {
		p.replay(r, from)
		return
	}
	parent := trace.SpanContextFromContext(r.Context)
	switch {
	case parent.IsSampled() && p.start(r):
	case parent.IsValid():
		inject(r, parent)
	}
}

// start starts the span of a record and reports whether it is recorded.
func (p *Producer) start(r *kgo.Record, opts ...trace.SpanStartOption) bool {
	attrs := append(about(r),
		semconv.MessagingSystemKafka, semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend,
		semconv.MessagingDestinationName(r.Topic), semconv.MessagingClientID(p.clientID))
	ctx, span := p.tracer.Start(r.Context, "send "+r.Topic,
		append(opts, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attrs...))...)
	if !span.IsRecording() {
		return false
	}
	inject(r, span.SpanContext())
	r.Context = context.WithValue(ctx, sending{}, span)
	return true
}

// OnProduceRecordUnbuffered implements kgo.HookProduceRecordUnbuffered: the
// record is acknowledged, or was given up.
func (p *Producer) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	span, ok := r.Context.Value(sending{}).(trace.Span)
	if !ok {
		return
	}
	if err != nil {
		fail(span, err)
	} else {
		span.SetAttributes(
			semconv.MessagingDestinationPartitionID(strconv.Itoa(int(r.Partition))), semconv.MessagingKafkaOffset(int(r.Offset)))
	}
	span.End()
}

// Replay makes r, which an operator sends again, the begin of a new trace that is
// linked to the one that r is of. The consumers of r link to that one too, by
// header.OriginTraceParent: an operator's tool may export nothing.
func Replay(r *kgo.Record) {
	from := SpanContext(r)
	r.Context = context.WithValue(context.Background(), replayed{}, from)
	if from.IsValid() {
		set(r, header.OriginTraceParent, get(r, header.TraceParent))
	}
}

func (p *Producer) replay(r *kgo.Record, from trace.SpanContext) {
	opts := []trace.SpanStartOption{trace.WithNewRoot()}
	if from.IsValid() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: from}))
	}
	if !p.start(r, opts...) {
		inject(r, anew(from.TraceFlags()))
	}
}

// anew is the begin of a trace of which nothing is recorded here.
func anew(flags trace.TraceFlags) trace.SpanContext {
	var c trace.SpanContextConfig
	_, _ = rand.Read(c.TraceID[:]) // it never fails
	_, _ = rand.Read(c.SpanID[:])
	c.TraceFlags = flags
	return trace.NewSpanContext(c)
}
