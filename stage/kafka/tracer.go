// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kotel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracer is kotel's, without the cost of a span for records of a trace that is
// not recorded: they carry the context on, and that is all that would come out.
type tracer struct {
	*kotel.Tracer
	propagator propagation.TextMapPropagator
}

// OnProduceRecordBuffered implements kgo.HookProduceRecordBuffered.
func (t tracer) OnProduceRecordBuffered(r *kgo.Record) {
	if unrecorded(r) {
		t.propagator.Inject(r.Context, kotel.NewRecordCarrier(r))
		return
	}
	t.Tracer.OnProduceRecordBuffered(r)
}

// OnProduceRecordUnbuffered implements kgo.HookProduceRecordUnbuffered. The
// record's own span, if it was given one, is in its context.
func (t tracer) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	if !unrecorded(r) {
		t.Tracer.OnProduceRecordUnbuffered(r, err)
	}
}

// unrecorded reports whether r belongs to a trace that is not recorded here.
func unrecorded(r *kgo.Record) bool {
	span := trace.SpanFromContext(r.Context)
	return span.SpanContext().IsValid() && !span.IsRecording()
}
