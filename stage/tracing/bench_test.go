// SPDX-License-Identifier: Apache-2.0

package tracing

import (
	"context"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/tracingtest"
)

// batchOf is n records of which every nth is sampled; 0 is none.
func batchOf(n, nth int) (in, out []*kgo.Record) {
	for i := range n {
		parent := unsampledParent
		if nth > 0 && i%nth == 0 {
			parent = sampledParent
		}
		in = append(in, webhook(parent))
		out = append(out, &kgo.Record{Topic: "events", Headers: make([]kgo.RecordHeader, 0, 15)})
	}
	return in, out
}

// through is all that tracing does with a batch: read, continued and produced.
func through(ctx context.Context, c *Consumer, p *Producer, in, out []*kgo.Record) {
	traced, batch := c.Start(ctx, "tx-1", 1, in)
	for i, r := range in {
		o := out[i]
		o.Headers, o.Context = o.Headers[:0], nil
		Continue(o, r)
		if o.Context == nil {
			o.Context = ctx //nolint:fatcontext // as the client does
		}
		p.OnProduceRecordBuffered(o)
		p.OnProduceRecordUnbuffered(o, nil)
	}
	batch.End(traced, nil)
}

// BenchmarkBatch is tracing's cost a record, in batches of 1000.
func BenchmarkBatch(b *testing.B) {
	const n = 1000
	for name, nth := range map[string]int{"none": 0, "1 percent": 100, "all": 1} {
		b.Run(name, func(b *testing.B) {
			tracingtest.Provide(b, sdktrace.NewTracerProvider(sdktrace.WithSampler(Keep(sdktrace.NeverSample()))))
			in, out := batchOf(n, nth)
			c, p := NewConsumer("group", "client"), NewProducer("client")
			b.ReportAllocs()
			for b.Loop() {
				through(b.Context(), c, p, in, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
		})
	}
}

// TestAllocations: what is not sampled takes none, whatever the batch; the batch's
// own are those of the context for its log lines.
func TestAllocations(t *testing.T) {
	tracingtest.Record(t, Keep(sdktrace.NeverSample()))
	c, p := NewConsumer("group", "client"), NewProducer("client")
	ctx := t.Context()
	for _, n := range []int{1, 1000} {
		in, out := batchOf(n, 0)
		if got := testing.AllocsPerRun(20, func() { through(ctx, c, p, in, out) }); got > 4 {
			t.Errorf("%v allocations for a batch of %d unsampled records, at most 4 are allowed", got, n)
		}
	}
	in, out := batchOf(1, 1)
	if got := testing.AllocsPerRun(20, func() { through(ctx, c, p, in, out) }); got > 120 {
		t.Errorf("%v allocations for a sampled record in a batch of its own, at most 120 are allowed", got)
	}
	if v := get(out[0], header.TraceParent); len(v) != parentLen {
		t.Error("what was measured wrote no traceparent, of " + strconv.Itoa(len(v)))
	}
}
