// SPDX-License-Identifier: Apache-2.0

package deadletter

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
)

var now = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func writer() *Writer {
	return &Writer{Stage: record.StageSink, Topic: "dlq", Version: "v1", Now: func() time.Time { return now }}
}

func failed() *kgo.Record {
	return &kgo.Record{
		Topic: "events.payment.v1", Partition: 3, Offset: 42, Key: []byte("t/p/1"), Value: []byte("\x00\x00\x00\x00\x01avro"),
		Headers: []kgo.RecordHeader{{Key: header.ID, Value: []byte("evt_1")}, {Key: header.FailureReason, Value: []byte("an older failure")}},
		Context: trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
		})),
	}
}

type pgError struct{}

func (pgError) Error() string { return "violates check amount_positive" }

func TestRecordSaysWhatFailedAndWhy(t *testing.T) {
	cause := failure.NewPermanent(reason.ConstraintViolation, fmt.Errorf("payment: %w", pgError{}))
	cause = fmt.Errorf("apply: %w", errors.Join(cause, errors.New("and more")))
	r := writer().Record(failed(), cause, failure.Tries{Count: 2, Since: now.Add(-time.Minute)})
	if trace.SpanContextFromContext(r.Context).TraceID() != (trace.TraceID{1}) {
		t.Error("the trace is lost")
	}
	got, err := record.ParseDeadLetter(r)
	if err != nil {
		t.Fatal(err)
	}
	want := &record.DeadLetter{
		Stage: record.StageSink, Failed: record.Position{Topic: "events.payment.v1", Partition: 3, Offset: 42},
		Class: "permanent", Reason: reason.ConstraintViolation, Exception: "hookstream.constraint_violation",
		Message: "apply: payment: violates check amount_positive; and more", Attempts: 2, FirstFailedAt: now.Add(-time.Minute), LastFailedAt: now, ServiceVersion: "v1",
		Key: failed().Key, Value: failed().Value, Headers: header.List{failed().Headers[0]},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhatDoesNotFitIsLeftOut(t *testing.T) {
	size := func(r *kgo.Record) int {
		n := len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			n += len(h.Key) + len(h.Value)
		}
		return n
	}
	cases := map[string]struct {
		value, key int
		limit      int
		omitted    string
	}{
		"fits":            {10, 10, 10_000, ""},
		"value too large": {20_000, 10, 10_000, "value of 20000 bytes"},
		"key too large":   {20_000, 20_000, 10_000, "value of 20000 bytes, key of 20000 bytes and 2 headers"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := writer()
			w.Fits = func(r *kgo.Record) bool { return size(r) <= c.limit }
			in := failed()
			in.Value, in.Key = []byte(strings.Repeat("v", c.value)), []byte(strings.Repeat("k", c.key))
			r := w.Record(in, failure.NewPermanent(reason.TooLarge, errors.New("too large")), failure.Once)
			if !w.Fits(r) {
				t.Errorf("%d bytes", size(r))
			}
			got, err := record.ParseDeadLetter(r)
			if err != nil {
				t.Fatal(err)
			}
			if got.Omitted != c.omitted || got.ID() != "sink:events.payment.v1/3/42" {
				t.Errorf("omitted %q of %s", got.Omitted, got.ID())
			}
		})
	}
}
