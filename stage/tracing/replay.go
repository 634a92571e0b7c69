// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"crypto/rand"

	"github.com/twmb/franz-go/pkg/kgo"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
)

// Replay traces an operator's replay. It has a span in a trace of its own, linked
// to the first of the records that it sends, and each of these begins a trace that
// is linked to the replay and to the trace that the record was of. Where nothing
// is exported it has no span, and the records begin new traces all the same.
type Replay struct {
	span  trace.Span
	links int
}

// StartReplay starts the span of the replay named id. End must follow.
func StartReplay(ctx context.Context, id string) *Replay {
	_, span := tracer().Start(ctx, "replay", trace.WithNewRoot(), trace.WithAttributes(ReplayID.String(id))) //nolint:spancheck // End ends it
	return &Replay{span: span}                                                                               //nolint:spancheck // End ends it
}

// Send makes r, which is about to be sent again, the begin of a new trace. The
// consumers of r link to the one before too, by header.OriginTraceParent: an
// operator's tool may export nothing. One goroutine at a time calls it.
func (p *Replay) Send(r *kgo.Record) {
	from := SpanContext(r)
	if from.IsValid() {
		set(r, header.OriginTraceParent, get(r, header.TraceParent))
	}
	inject(r, anew(from.TraceFlags())) // of the record's own span, where it has one
	if !p.span.IsRecording() {
		return
	}
	if from.IsValid() && p.links < maxLinks {
		p.span.AddLink(trace.Link{SpanContext: from})
		p.links++
	}
	r.Context = context.WithValue(context.Background(), replayed{}, origin{from, p.span.SpanContext()})
}

// End ends the span. Sent is how many records were, err why not all of them.
func (p *Replay) End(sent int, err error) {
	p.span.SetAttributes(semconv.MessagingBatchMessageCount(sent))
	finish(p.span, err)
}

// replayed is the key of a record's origin in its context.
type replayed struct{}

// origin is what a replayed record comes from.
type origin struct{ letter, replay trace.SpanContext }

// links are those of the span in which the record is sent.
func (o origin) links() []trace.Link {
	links := []trace.Link{{SpanContext: o.replay}}
	if o.letter.IsValid() {
		links = append(links, trace.Link{SpanContext: o.letter})
	}
	return links
}

// anew is the begin of a trace of which nothing is recorded here.
func anew(flags trace.TraceFlags) trace.SpanContext {
	var ids [24]byte
	_, _ = rand.Read(ids[:]) // it never fails
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID(ids[:16]), SpanID: trace.SpanID(ids[16:]), TraceFlags: flags,
	})
}
