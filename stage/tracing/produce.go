// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
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

// OnProduceRecordBuffered implements kgo.HookProduceRecordBuffered. A record
// without a trace in its context keeps the headers that it has.
func (p *Producer) OnProduceRecordBuffered(r *kgo.Record) {
	if o, ok := r.Context.Value(replayed{}).(origin); ok && p.start(r, trace.WithNewRoot(), trace.WithLinks(o.links()...)) {
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
