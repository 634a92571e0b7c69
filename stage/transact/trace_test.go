// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

const (
	sampledParent   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampledParent = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

// TestATraceGoesThroughATransaction: from the record that is read to the one that
// is written, and of both only the sampled.
func TestATraceGoesThroughATransaction(t *testing.T) {
	spans := tracingtest.Record(t, tracing.Keep(sdktrace.ParentBased(sdktrace.NeverSample())))
	b := newBroker(t, 1)
	for _, parent := range []string{sampledParent, unsampledParent} {
		r := &kgo.Record{Topic: b.in, Value: []byte(parent), Headers: []kgo.RecordHeader{
			{Key: header.TraceParent, Value: []byte(parent)}, {Key: header.TransactionID, Value: []byte("an earlier one")},
		}}
		if err := b.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	tries := 0
	b.start(t, b.config("a"), &copier{process: func(context.Context, []*kgo.Record) error {
		if tries++; tries == 1 {
			return errPassing
		}
		return nil
	}})
	b.wantOutput(t, 2)

	process := spans.Span(t, "the sampled record", func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "process "+b.in })
	all := spans.Span(t, "its transaction", func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "process_batch "+b.in })
	send := spans.Span(t, "what was written", func(s sdktrace.ReadOnlySpan) bool { return s.Name() == "send "+b.out })
	if process.SpanContext().TraceID() != send.SpanContext().TraceID() || send.Parent().SpanID() != process.SpanContext().SpanID() ||
		process.Parent().SpanID() != all.Links()[0].SpanContext.SpanID() || !tracingtest.LinksTo(process, all.SpanContext()) {
		t.Error("the spans do not make one trace")
	}
	if n := len(spans.Ended()); n != 3 {
		t.Errorf("%d spans, want 3: one record is not sampled", n)
	}
	if events := all.Events(); len(events) != 1 || events[0].Name != "retry" {
		t.Errorf("the failed attempt left the events %v", events)
	}
	wantHeaders(t, b, map[string]trace.SpanContext{
		sampledParent:   send.SpanContext(),
		unsampledParent: tracing.SpanContext(&kgo.Record{Headers: []kgo.RecordHeader{{Key: header.TraceParent, Value: []byte(unsampledParent)}}}),
	}, tracingtest.Attributes(all)["hookstream.transaction.id"])
}

// wantHeaders: what was written has one trace context and one transaction.
func wantHeaders(t *testing.T, b *broker, places map[string]trace.SpanContext, transaction string) {
	t.Helper()
	err := b.cfg.ReadToEnd(t.Context(), "output", runtest.Logger(), kafka.Partitions{b.out: nil}, func(r *kgo.Record) error {
		got, want := tracing.SpanContext(r), places[string(r.Value)]
		if got.TraceID() != want.TraceID() || got.SpanID() != want.SpanID() || got.IsSampled() != want.IsSampled() {
			t.Errorf("%s became %v, want %v", r.Value, got, want)
		}
		found := map[string]int{}
		for _, h := range r.Headers {
			found[h.Key]++
		}
		id, _ := (*header.List)(&r.Headers).Get(header.TransactionID)
		if found[header.TraceParent] != 1 || found[header.TransactionID] != 1 || !strings.HasPrefix(id, b.Name("a")+"/") || (string(r.Value) == sampledParent && id != transaction) {
			t.Errorf("headers %v, transaction %q, its span says %q", found, id, transaction)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
