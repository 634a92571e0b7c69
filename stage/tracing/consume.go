// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/failure"
)

// What one span of a batch holds at most, whatever the batch.
const (
	maxLinks  = 128 // OpenTelemetry's own limit of a span
	maxRanges = 64
)

// Consumer traces what a consumer group does with its records.
type Consumer struct {
	tracer          trace.Tracer
	group, clientID string
}

// NewConsumer traces for a consumer group.
func NewConsumer(group, clientID string) *Consumer { return &Consumer{tracer(), group, clientID} }

// Batch is the records of one transaction. It has a span in a trace of its own,
// with links to the records, and every sampled record has one in the record's
// trace, with a link to the batch. Where no record is sampled there is none of
// that, unless the batch fails.
type Batch struct {
	consumer *Consumer
	id       string
	attempt  int
	runs     [][]*kgo.Record
	begun    time.Time
	// span is nil where nothing of the batch is sampled.
	span    trace.Span
	records []trace.Span
}

// Start begins an attempt, counted from 1, at the runs of records that a
// transaction holds, each of one partition and in order. The context that it
// returns holds the batch's span; the records' contexts hold their own. End must
// follow.
func (c *Consumer) Start(ctx context.Context, transactionID string, attempt int, runs ...[]*kgo.Record) (context.Context, Batch) {
	b := Batch{consumer: c, id: transactionID, attempt: attempt, runs: runs, begun: time.Now()}
	ctx = context.WithValue(ctx, transactionKey{}, transaction{transactionID, attempt})
	n := 0
	for _, run := range runs {
		for _, r := range run {
			if sampled(r) {
				n++
			}
		}
	}
	if n == 0 {
		return ctx, b
	}
	traced, span := b.start(ctx, Sampled.Int(n))
	if !span.IsRecording() {
		return ctx, b
	}
	b.span = span
	b.startRecords(n)
	return traced, b
}

// start starts the span of the batch.
func (b *Batch) start(ctx context.Context, more ...attribute.KeyValue) (context.Context, trace.Span) {
	return b.consumer.tracer.Start(ctx, b.name(), trace.WithNewRoot(), trace.WithTimestamp(b.begun), //nolint:spancheck // End ends it
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(b.attributes(), more...)...), trace.WithLinks(b.links()...))
}

const batchOperation = "process_batch"

func (b *Batch) name() string {
	if topic := b.topic(); topic != "" {
		return batchOperation + " " + topic
	}
	return batchOperation
}

// topic is the one of all records, or "".
func (b *Batch) topic() (topic string) {
	for _, run := range b.runs {
		for _, r := range run {
			if topic != "" && r.Topic != topic {
				return ""
			}
			topic = r.Topic
		}
	}
	return topic
}

func (b *Batch) attributes() []attribute.KeyValue {
	n := 0
	for _, run := range b.runs {
		n += len(run)
	}
	attrs := append(b.consumer.common(batchOperation), semconv.MessagingBatchMessageCount(n),
		TransactionID.String(b.id), Attempt.Int(b.attempt), Ranges.StringSlice(b.ranges()))
	if topic := b.topic(); topic != "" {
		attrs = append(attrs, semconv.MessagingDestinationName(topic))
	}
	return attrs
}

func (c *Consumer) common(operation string) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKafka, semconv.MessagingOperationName(operation), semconv.MessagingOperationTypeProcess,
		semconv.MessagingConsumerGroupName(c.group), semconv.MessagingClientID(c.clientID),
	}
}

// ranges are the offsets of each partition, for a run may have several.
func (b *Batch) ranges() []string {
	var ranges []string
	for _, run := range b.runs {
		for len(run) > 0 && len(ranges) < maxRanges {
			first, n := run[0], 1
			for n < len(run) && run[n].Partition == first.Partition && run[n].Topic == first.Topic {
				n++
			}
			ranges = append(ranges, fmt.Sprintf("%s/%d:%d-%d", first.Topic, first.Partition, first.Offset, run[n-1].Offset))
			run = run[n:]
		}
	}
	return ranges
}

func (b *Batch) links() []trace.Link {
	var links []trace.Link
	for _, run := range b.runs {
		for _, r := range run {
			if len(links) < maxLinks && sampled(r) {
				if sc := SpanContext(r); sc.IsValid() {
					links = append(links, trace.Link{SpanContext: sc})
				}
			}
		}
	}
	return links
}

func (b *Batch) startRecords(n int) {
	b.records = make([]trace.Span, 0, n)
	for _, run := range b.runs {
		for _, r := range run {
			if sampled(r) {
				b.records = append(b.records, b.startRecord(r))
			}
		}
	}
}

func (b *Batch) startRecord(r *kgo.Record) trace.Span {
	parent := SpanContext(r)
	attrs := append(about(r), b.consumer.common("process")...)
	attrs = append(attrs, place(r)...)
	attrs = append(attrs, TransactionID.String(b.id), Attempt.Int(b.attempt))
	ctx, span := b.consumer.tracer.Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "process "+r.Topic, //nolint:spancheck // End ends it
		trace.WithTimestamp(b.begun), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attrs...), trace.WithLinks(append(origins(r, parent), trace.Link{SpanContext: b.span.SpanContext()})...))
	r.Context = ctx
	return span //nolint:spancheck // End ends it
}

// origins are what a record comes from: the span that wrote it, which is its
// parent too, and of a replay the trace that it continues.
func origins(r *kgo.Record, parent trace.SpanContext) []trace.Link {
	var links []trace.Link
	if parent.IsValid() {
		links = append(links, trace.Link{SpanContext: parent})
	}
	if sc := parse(get(r, header.OriginTraceParent), nil); sc.IsValid() {
		links = append(links, trace.Link{SpanContext: sc})
	}
	return links
}

func place(r *kgo.Record) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingDestinationName(r.Topic),
		semconv.MessagingDestinationPartitionID(strconv.Itoa(int(r.Partition))), semconv.MessagingKafkaOffset(int(r.Offset)),
	}
}

// ErrGivenUp ends an attempt whose records are read again, by us or by another.
var ErrGivenUp = errors.New("given up, to be read again")

// End ends the attempt's spans. Err is nil where the transaction was committed.
// A batch without a span gets one where err is a failure, so that none is missed.
func (b *Batch) End(ctx context.Context, err error) {
	if b.span == nil {
		if err == nil || errors.Is(err, ErrGivenUp) {
			return
		}
		_, b.span = b.start(ctx, semconv.ErrorTypeKey.String(ErrorType(err)))
	}
	for _, span := range b.records {
		finish(span, err)
	}
	finish(b.span, err)
}

func finish(span trace.Span, err error) {
	switch {
	case errors.Is(err, ErrGivenUp):
		span.SetAttributes(Outcome.String("given-up"))
	case err != nil:
		fail(span, err)
	}
	span.End()
}

// Retried notes that something of the batch failed and was tried again in place.
func (b *Batch) Retried(err error, failures int) {
	if b.span != nil {
		b.span.AddEvent("retry", trace.WithAttributes(Attempt.Int(failures), semconv.ErrorTypeKey.String(ErrorType(err))))
	}
}

// Fail marks the span of a record that failed for good. A record without one
// gets it here: its trace is recorded from now on, its dead letter says so, and
// with that all that comes of the dead letter is recorded too.
func Fail(r *kgo.Record, stage string, cause error) {
	if r.Context != nil && trace.SpanContextFromContext(r.Context).IsSampled() {
		fail(trace.SpanFromContext(r.Context), cause)
		return
	}
	kind := ErrorType(cause)
	attrs := append(about(r), semconv.MessagingSystemKafka, semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess,
		semconv.ErrorTypeKey.String(kind), Stage.String(stage), FailureClass.String(failure.Of(cause).String()))
	parent := SpanContext(r)
	ctx, span := tracer().Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "process "+r.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(append(attrs, place(r)...)...), trace.WithLinks(origins(r, parent)...))
	if span.IsRecording() {
		span.SetStatus(codes.Error, kind)
		r.Context = ctx
	}
	span.End()
}
