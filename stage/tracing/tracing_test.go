// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

const (
	unsampledParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	sampledParent   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
)

func webhook(parent string) *kgo.Record {
	r := &kgo.Record{Topic: "raw", Partition: 2, Offset: 7, Key: []byte("acme/stripe/secret-key"), Value: []byte("secret-value"), Headers: []kgo.RecordHeader{
		{Key: header.ID, Value: []byte("evt_1")}, {Key: header.Type, Value: []byte("charge.paid")},
		{Key: header.Provider, Value: []byte("stripe")}, {Key: header.Tenant, Value: []byte("acme")},
		{Key: header.CorrelationID, Value: []byte("corr-1")},
	}}
	if parent != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.TraceParent, Value: []byte(parent)})
	}
	return r
}

func named(t *testing.T, spans []sdktrace.ReadOnlySpan, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	i := slices.IndexFunc(spans, func(s sdktrace.ReadOnlySpan) bool { return s.Name() == name })
	if i < 0 {
		t.Fatalf("no span %q among %d", name, len(spans))
	}
	return spans[i]
}

// TestParsingIsTheSDKs compares the parser with OpenTelemetry's own.
func TestParsingIsTheSDKs(t *testing.T) {
	for _, parent := range []string{
		unsampledParent, sampledParent, "", "00", strings.ToUpper(sampledParent[:40]) + sampledParent[40:],
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"ff" + sampledParent[2:], "01" + sampledParent[2:], "01" + sampledParent[2:] + "-more", sampledParent + "-more",
		strings.Replace(sampledParent, "-", "_", 1), sampledParent[:53] + "03", "zz" + sampledParent[2:],
	} {
		r := webhook(parent)
		carrier := propagation.MapCarrier{"traceparent": parent}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), carrier))
		got := SpanContext(r)
		if got.IsValid() != want.IsValid() || (want.IsValid() && !got.Equal(want)) {
			t.Errorf("%q gives %v, OpenTelemetry %v", parent, got, want)
		}
		if want.IsValid() && sampled(r) != want.IsSampled() {
			t.Errorf("%q is sampled: %v", parent, sampled(r))
		}
	}
}

func TestContextIsReplaced(t *testing.T) {
	tracingtest.Record(t, sdktrace.AlwaysSample())
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
		ctx := trace.ContextWithSpanContext(t.Context(), anew(flags))
		r := webhook(sampledParent)
		r.Headers = append(r.Headers, r.Headers[5], kgo.RecordHeader{Key: header.TraceState, Value: []byte("theirs=1")})
		r.Context = ctx //nolint:fatcontext // each record has its own
		NewProducer("test").OnProduceRecordBuffered(r)
		var parents, states int
		for _, h := range r.Headers {
			switch h.Key {
			case header.TraceParent:
				parents++
			case header.TraceState:
				states++
			}
		}
		if got := SpanContext(r); parents != 1 || states != 0 || got.TraceID() != trace.SpanContextFromContext(ctx).TraceID() || got.TraceFlags() != flags {
			t.Errorf("%d traceparents, %d tracestates, %v", parents, states, got)
		}
	}
}

// TestBatch: a batch has a span in a trace of its own, a sampled record one in its
// own trace, and each links to the other.
func TestBatch(t *testing.T) {
	recorder := tracingtest.Record(t, Keep(sdktrace.ParentBased(sdktrace.NeverSample())))
	r, other := webhook(sampledParent), webhook(unsampledParent)
	other.Offset = 8
	ctx, batch := NewConsumer("group", "client").Start(t.Context(), "tx-1", 1, []*kgo.Record{r, other})
	out := &kgo.Record{Topic: "events"}
	Continue(out, r)
	producer := NewProducer("client")
	producer.OnProduceRecordBuffered(out)
	out.Partition, out.Offset = 1, 42
	producer.OnProduceRecordUnbuffered(out, nil)
	batch.End(ctx, nil)

	spans := recorder.Ended()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want those of the batch, the sampled record and what was sent", len(spans))
	}
	all, process, send := named(t, spans, "process_batch raw"), named(t, spans, "process raw"), named(t, spans, "send events")
	if all.Parent().IsValid() || all.SpanContext().TraceID() == process.SpanContext().TraceID() || all.SpanKind() != trace.SpanKindConsumer {
		t.Error("the batch is not a trace of its own")
	}
	if process.Parent().SpanID() != SpanContext(r).SpanID() || process.SpanKind() != trace.SpanKindConsumer {
		t.Error("the record's span is not a child of the one that wrote it")
	}
	if !tracingtest.LinksTo(all, SpanContext(r)) || len(all.Links()) != 1 || !tracingtest.LinksTo(process, all.SpanContext()) || !tracingtest.LinksTo(process, SpanContext(r)) {
		t.Errorf("links: batch %v, record %v", all.Links(), process.Links())
	}
	if send.Parent().SpanID() != process.SpanContext().SpanID() || send.SpanKind() != trace.SpanKindProducer || SpanContext(out).SpanID() != send.SpanContext().SpanID() {
		t.Error("what is sent does not go on from the record's span")
	}
	want(t, all, "messaging.system=kafka messaging.operation.name=process_batch messaging.operation.type=process messaging.consumer.group.name=group messaging.client.id=client "+
		"messaging.destination.name=raw messaging.batch.message_count=2 hookstream.transaction.id=tx-1 hookstream.attempt=1 hookstream.batch.sampled=1 hookstream.batch.ranges=[\"raw/2:7-8\"]")
	want(t, process, "messaging.operation.name=process messaging.destination.partition.id=2 messaging.kafka.offset=7 cloudevents.event_id=evt_1 cloudevents.event_type=charge.paid "+
		"hookstream.provider=stripe hookstream.correlation_id=corr-1 hookstream.transaction.id=tx-1 hookstream.attempt=1")
	want(t, send, "messaging.operation.name=send messaging.operation.type=send messaging.destination.name=events messaging.destination.partition.id=1 messaging.kafka.offset=42")
}

func want(t *testing.T, s sdktrace.ReadOnlySpan, pairs string) {
	t.Helper()
	have := tracingtest.Attributes(s)
	for pair := range strings.FieldsSeq(pairs) {
		key, value, _ := strings.Cut(pair, "=")
		if have[key] != value {
			t.Errorf("%s: %s is %q, want %q", s.Name(), key, have[key], value)
		}
	}
	for key, value := range have {
		if strings.Contains(value, "secret") || key == "hookstream.tenant" {
			t.Errorf("%s tells %s=%q", s.Name(), key, value)
		}
	}
}

func TestTenantsAreShownWhereAskedFor(t *testing.T) {
	ShowTenants(true)
	t.Cleanup(func() { ShowTenants(false) })
	if got := about(webhook("")); !slices.Contains(got, Tenant.String("acme")) {
		t.Errorf("attributes %v", got)
	}
}

func TestWhatIsNotSampledHasNoSpans(t *testing.T) {
	recorder := tracingtest.Record(t, sdktrace.AlwaysSample())
	r := webhook(unsampledParent)
	ctx, batch := NewConsumer("group", "client").Start(t.Context(), "tx-1", 1, []*kgo.Record{r})
	out := &kgo.Record{Topic: "events", Context: t.Context()}
	Continue(out, r)
	NewProducer("client").OnProduceRecordBuffered(out)
	batch.End(ctx, nil)
	if n := len(recorder.Started()); n != 0 {
		t.Errorf("%d spans", n)
	}
	if got := SpanContext(out); !got.Equal(SpanContext(r)) {
		t.Errorf("the record that was made of it is of %v", got)
	}
}

// TestFailuresAreAlwaysRecorded: a record that nobody sampled is traced from its
// failure on.
func TestFailuresAreAlwaysRecorded(t *testing.T) {
	recorder := tracingtest.Record(t, Keep(sdktrace.ParentBased(sdktrace.NeverSample())))
	r := webhook(unsampledParent)
	cause := failure.NewPermanent(reason.InvalidValue, errors.New("secret-message"))
	Fail(r, "sink", cause)
	Fail(r, "sink", cause) // tried again
	letter := &kgo.Record{Topic: "dlq", Headers: slices.Clone(r.Headers)}
	Continue(letter, r)
	NewProducer("client").OnProduceRecordBuffered(letter)
	NewProducer("client").OnProduceRecordUnbuffered(letter, nil)

	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	failed := named(t, spans, "process raw")
	if failed.Status().Code != codes.Error || failed.Status().Description != "invalid_value" || failed.SpanContext().TraceID() != SpanContext(r).TraceID() {
		t.Errorf("status %v in trace %s", failed.Status(), failed.SpanContext().TraceID())
	}
	want(t, failed, "error.type=invalid_value hookstream.stage=sink hookstream.failure.class=permanent cloudevents.event_id=evt_1")
	if got := SpanContext(letter); !got.IsSampled() || got.TraceID() != SpanContext(r).TraceID() {
		t.Errorf("the dead letter is of %v", got)
	}
}

func TestAFailedBatchIsAlwaysRecorded(t *testing.T) {
	recorder := tracingtest.Record(t, Keep(sdktrace.NeverSample()))
	for _, err := range []error{ErrGivenUp, nil, context.DeadlineExceeded} {
		ctx, batch := NewConsumer("group", "client").Start(t.Context(), "tx-1", 3, []*kgo.Record{webhook("")})
		batch.End(ctx, err)
	}
	spans := recorder.Ended()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want that of the failure", len(spans))
	}
	want(t, spans[0], "error.type=timeout hookstream.attempt=3")
}

// TestReplay: a replay is a trace of its own, linked to the first, and the
// consumers of what is replayed know the first too.
func TestReplay(t *testing.T) {
	for name, sampler := range map[string]sdktrace.Sampler{"recorded": Keep(sdktrace.NeverSample()), "by a tool that exports nothing": sdktrace.NeverSample()} {
		t.Run(name, func(t *testing.T) {
			recorder := tracingtest.Record(t, sampler)
			r := webhook(sampledParent)
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.ReplayID, Value: []byte("replay-1")})
			first := SpanContext(r)
			replay := StartReplay(t.Context(), "replay-1")
			replay.Send(r)
			r.Context = cmp.Or(r.Context, Outside(t.Context())) // as the client does
			NewProducer("client").OnProduceRecordBuffered(r)
			NewProducer("client").OnProduceRecordUnbuffered(r, nil)
			replay.End(1, context.Canceled)
			if got := SpanContext(r); got.TraceID() == first.TraceID() || !got.IsSampled() {
				t.Errorf("the replayed record is of %v", got)
			}
			if spans := recorder.Ended(); len(spans) > 0 {
				send, all := named(t, spans, "send raw"), named(t, spans, "replay")
				if send.Parent().IsValid() || !tracingtest.LinksTo(send, first) || !tracingtest.LinksTo(send, all.SpanContext()) {
					t.Errorf("the record's span has the parent %v and the links %v", send.Parent(), send.Links())
				}
				if all.Parent().IsValid() || !tracingtest.LinksTo(all, first) || all.SpanContext().TraceID() == send.SpanContext().TraceID() {
					t.Errorf("the replay has the parent %v and the links %v", all.Parent(), all.Links())
				}
				want(t, all, "hookstream.replay.id=replay-1 messaging.batch.message_count=1 error.type=canceled")
			}
			if links := origins(r, SpanContext(r)); len(links) != 2 || links[1].SpanContext.SpanID() != first.SpanID() {
				t.Errorf("its consumers link to %v", links)
			}
		})
	}
}

func TestSamplers(t *testing.T) {
	ids := func(s sdktrace.Sampler, attrs ...attribute.KeyValue) (n int) {
		for range 1000 {
			sc := anew(0)
			if s.ShouldSample(sdktrace.SamplingParameters{ParentContext: t.Context(), TraceID: sc.TraceID(), Attributes: attrs}).Decision == sdktrace.RecordAndSample {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		name, arg   string
		least, most int
		failures    int
	}{
		{"", "", 0, 50, 1000}, {"", "0.5", 400, 600, 1000}, {"always_off", "", 0, 0, 0}, {"always_on", "", 1000, 1000, 1000},
		{"traceidratio", "0.5", 400, 600, 1000}, {"parentbased_always_off", "", 0, 0, 1000},
		{"parentbased_traceidratio", "", 1000, 1000, 1000}, {" ParentBased_Always_On", "x", 1000, 1000, 1000},
	} {
		s, err := SamplerFrom(c.name, c.arg)
		if err != nil {
			t.Fatal(err)
		}
		if n := ids(s); n < c.least || n > c.most {
			t.Errorf("%s %s records %d of 1000 traces", c.name, c.arg, n)
		}
		if n := ids(s, semconv.ErrorTypeKey.String("x")); n != c.failures {
			t.Errorf("%s %s records %d of 1000 failures", c.name, c.arg, n)
		}
	}
	for _, c := range [][2]string{{"sometimes", ""}, {"traceidratio", "much"}, {"traceidratio", "1.5"}} {
		if _, err := SamplerFrom(c[0], c[1]); err == nil || !strings.Contains(err.Error(), "OTEL_TRACES_SAMPLER") {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(LogHandler(slog.NewTextHandler(&out, nil)))
	r := webhook(unsampledParent)
	ctx, batch := NewConsumer("group", "client").Start(t.Context(), "tx-1", 2, []*kgo.Record{r})
	log.InfoContext(Within(ctx, r), "of a record", LogAttr(r))
	log.InfoContext(ctx, "of a batch", "attempt", 5)
	event := webhook(unsampledParent)
	event.Headers = append(event.Headers, kgo.RecordHeader{Key: header.Entity, Value: []byte("payment")}, kgo.RecordHeader{Key: header.TransactionID, Value: []byte("tx-0")})
	log.InfoContext(failure.WithTries(ctx, failure.Tries{Count: 4}), "of an event, in place", LogAttr(event))
	batch.End(ctx, nil)
	lines := strings.Split(out.String(), "\n")
	for _, pair := range []string{"event_id=evt_1", "provider=stripe", "tenant=acme", "correlation_id=corr-1", "topic=raw", "partition=2", "offset=7",
		"transaction_id=tx-1", "attempt=2", "trace_id=0af7651916cd43dd8448eb211c80319c"} {
		if strings.Count(lines[0], pair) != 1 {
			t.Errorf("no %s in %s", pair, lines[0])
		}
	}
	if !strings.Contains(lines[1], "attempt=5") || strings.Contains(lines[1], "attempt=2") {
		t.Errorf("an attempt is named twice: %s", lines[1])
	}
	for _, pair := range []string{"event_transaction_id=tx-0", " transaction_id=tx-1", "attempt=4"} {
		if strings.Count(lines[2], pair) != 1 {
			t.Errorf("no %s in %s", pair, lines[2])
		}
	}
}

func TestErrorTypes(t *testing.T) {
	for kind, err := range map[string]error{
		"invalid_value": fmt.Errorf("a: %w", failure.NewPermanent(reason.InvalidValue, errors.New("b"))),
		"fatal":         failure.NewFatal("c"), "transient": errors.New("d"), "canceled": context.Canceled,
	} {
		if got := ErrorType(err); got != kind {
			t.Errorf("%v is %s, want %s", err, got, kind)
		}
	}
}
