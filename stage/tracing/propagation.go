// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
)

// The parts of a traceparent, version-traceid-parentid-flags, in lower-case
// hexadecimal (https://www.w3.org/TR/trace-context/#traceparent-header).
const (
	traceIDAt = 3
	spanIDAt  = traceIDAt + 32 + 1
	flagsAt   = spanIDAt + 16 + 1
	parentLen = flagsAt + 2
)

// get is the value of r's last header of that name, or nil.
func get(r *kgo.Record, name string) []byte {
	value, _ := header.List(r.Headers).Bytes(name)
	return value
}

// set replaces every header of that name by one. A record that is produced is its
// producer's own.
func set(r *kgo.Record, name string, value []byte) { (*header.List)(&r.Headers).Put(name, value) }

func remove(r *kgo.Record, name string) {
	r.Headers = slices.DeleteFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == name })
}

// sampled reports whether r says that its trace is recorded. It reads one digit:
// most records are not.
func sampled(r *kgo.Record) bool {
	parent := get(r, header.TraceParent)
	if len(parent) < parentLen {
		return false
	}
	digit := parent[flagsAt+1]
	switch {
	case '0' <= digit && digit <= '9':
		return digit&1 == 1
	case 'a' <= digit && digit <= 'f':
		return (digit-'a')&1 == 1 // b, d and f are odd
	}
	return false
}

// SpanContext is the place in a trace that r's headers name, or an invalid one
// where they name none.
func SpanContext(r *kgo.Record) trace.SpanContext {
	return parse(get(r, header.TraceParent), get(r, header.TraceState))
}

func parse(parent, state []byte) trace.SpanContext {
	if len(parent) < parentLen || parent[2] != '-' || parent[spanIDAt-1] != '-' || parent[flagsAt-1] != '-' {
		return trace.SpanContext{}
	}
	var version, flags [1]byte
	c := trace.SpanContextConfig{Remote: true}
	for _, part := range []struct{ to, from []byte }{
		{version[:], parent[:2]}, {c.TraceID[:], parent[traceIDAt : spanIDAt-1]},
		{c.SpanID[:], parent[spanIDAt : flagsAt-1]}, {flags[:], parent[flagsAt:parentLen]},
	} {
		if _, err := hex.Decode(part.to, part.from); err != nil || bytes.ContainsAny(part.from, "ABCDEF") {
			return trace.SpanContext{}
		}
	}
	// Later versions may add parts; 255 is no version.
	if version[0] == 0xff || (version[0] == 0 && len(parent) != parentLen) {
		return trace.SpanContext{}
	}
	c.TraceFlags = trace.TraceFlags(flags[0]) & (trace.FlagsSampled | trace.FlagsRandom)
	if len(state) > 0 {
		c.TraceState, _ = trace.ParseTraceState(string(state)) // W3C: what is wrong with it does not touch the traceparent
	}
	return trace.NewSpanContext(c)
}

// inject replaces the trace context in r's headers.
func inject(r *kgo.Record, sc trace.SpanContext) {
	traceID, spanID := sc.TraceID(), sc.SpanID()
	parent := make([]byte, 0, parentLen)
	parent = append(parent, "00-"...)
	parent = hex.AppendEncode(parent, traceID[:])
	parent = append(parent, '-')
	parent = hex.AppendEncode(parent, spanID[:])
	parent = append(parent, '-')
	parent = hex.AppendEncode(parent, []byte{byte(sc.TraceFlags() & (trace.FlagsSampled | trace.FlagsRandom))})
	set(r, header.TraceParent, parent)
	if state := sc.TraceState().String(); state != "" {
		set(r, header.TraceState, []byte(state))
		return
	}
	remove(r, header.TraceState)
}

// Outside is ctx without a span, for producing the records of a batch: they belong
// to the traces of what they are made of, or to none, and not to the batch's.
func Outside(ctx context.Context) context.Context {
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}

// Continue makes out, a record made of in, part of in's trace: the span that in
// is processed in becomes its parent, or where there is none, out carries on
// what in says.
func Continue(out, in *kgo.Record) {
	if in.Context != nil && trace.SpanContextFromContext(in.Context).IsSampled() {
		out.Context = in.Context
		return
	}
	for _, name := range [...]string{header.TraceParent, header.TraceState} {
		if value := get(in, name); value != nil {
			set(out, name, value)
		}
	}
}
