// SPDX-License-Identifier: Apache-2.0

// Package tracingtest records the spans of a test. Only tests import it.
package tracingtest

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TB is the part of testing.TB that is needed here.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Spans are those that ended.
type Spans struct{ *tracetest.SpanRecorder }

// Record makes spans as the sampler says until the test ends. The provider is the
// process's: the test must not be parallel.
func Record(t TB, sampler sdktrace.Sampler) Spans {
	s := Spans{tracetest.NewSpanRecorder()}
	Provide(t, sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(s.SpanRecorder)))
	return s
}

// Provide makes p the process's provider until the test ends.
func Provide(t TB, p trace.TracerProvider) {
	old := otel.GetTracerProvider()
	otel.SetTracerProvider(p)
	t.Cleanup(func() { otel.SetTracerProvider(old) })
}

// patience is how long a span may take to end.
const patience = 30 * time.Second

// Span waits for a span that satisfies is.
func (s Spans) Span(t TB, what string, is func(sdktrace.ReadOnlySpan) bool) sdktrace.ReadOnlySpan {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		ended := s.Ended()
		if i := slices.IndexFunc(ended, is); i >= 0 {
			return ended[i]
		}
	}
	var names []string
	for _, span := range s.Ended() {
		names = append(names, span.Name())
	}
	t.Fatalf("no span of %s; there are %q", what, names)
	return nil
}

// Attributes are those of a span, as text.
func Attributes(span sdktrace.ReadOnlySpan) map[string]string {
	m := map[string]string{}
	for _, kv := range span.Attributes() {
		m[string(kv.Key)] = kv.Value.String()
	}
	return m
}

// LinksTo reports whether a span links to another one.
func LinksTo(span sdktrace.ReadOnlySpan, to trace.SpanContext) bool {
	return slices.ContainsFunc(span.Links(), func(l sdktrace.Link) bool {
		return l.SpanContext.TraceID() == to.TraceID() && l.SpanContext.SpanID() == to.SpanID()
	})
}
