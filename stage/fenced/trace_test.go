// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

// TestEveryAttemptIsInTheTraceOfItsRecord, the one that failed and the one that
// did not, each with the batch that it was part of.
func TestEveryAttemptIsInTheTraceOfItsRecord(t *testing.T) {
	spans := tracingtest.Record(t, tracing.Keep(sdktrace.NeverSample()))
	b := newBroker(t, 1)
	written := &kgo.Record{Topic: b.in, Value: []byte("0"), Headers: []kgo.RecordHeader{
		{Key: header.TraceParent, Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
	}}
	if err := b.client.ProduceSync(t.Context(), written).FirstErr(); err != nil {
		t.Fatal(err)
	}
	store := &faulty{memory: newMemory()}
	failures := 1
	store.before = func() error {
		if failures--; failures == 0 {
			return errAway
		}
		return nil
	}
	store.batch = func(batches []fenced.Batch) error {
		if _, ok := tracing.Of(batches[0].Records[0]); !ok {
			t.Error("the record is applied outside its trace")
		}
		return nil
	}
	b.start(t, store)

	var attempts [3]sdktrace.ReadOnlySpan
	for n, attempt := range []string{1: "1", 2: "2"} {
		if n == 0 {
			continue
		}
		of := func(name string) func(sdktrace.ReadOnlySpan) bool {
			return func(s sdktrace.ReadOnlySpan) bool {
				return s.Name() == name && tracingtest.Attributes(s)["hookstream.attempt"] == attempt
			}
		}
		all := spans.Span(t, "batch, attempt "+attempt, of("process_batch "+b.in))
		attempts[n] = spans.Span(t, "record, attempt "+attempt, of("process "+b.in))
		if attempts[n].Parent().TraceID() != tracing.SpanContext(written).TraceID() || !tracingtest.LinksTo(attempts[n], all.SpanContext()) || all.Parent().IsValid() {
			t.Errorf("attempt %s has the parent %v and the links %v", attempt, attempts[n].Parent(), attempts[n].Links())
		}
	}
	if attempts[1].Status().Code != codes.Error || tracingtest.Attributes(attempts[1])["error.type"] != "transient" || attempts[2].Status().Code == codes.Error {
		t.Errorf("the attempts ended with %v and %v", attempts[1].Status(), attempts[2].Status())
	}
}
