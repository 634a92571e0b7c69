// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/transact"
	"github.com/hookstream/hookstream/transform/internal/dedup"
	"github.com/hookstream/hookstream/transform/internal/held"
)

// batch is the work on one transaction.
type batch struct {
	*Processor
	// catalog is one for the whole batch, whatever is loaded meanwhile.
	catalog Catalog
	tx      *dedup.Tx
	verdict breaker.Verdict
	// held is what the transaction holds or releases; nil where nothing is held
	// and nothing must be.
	held   *held.Tx
	out    []*kgo.Record
	tally  tally
	failed []failed
}

// failed is a record that is dead-lettered, and why.
type failed struct {
	record *kgo.Record
	cause  error
}

func (p *Processor) begin() *batch {
	return &batch{Processor: p, catalog: p.cfg.Definitions(), tx: p.cfg.Sets.Begin(), tally: tally{}}
}

// settle makes an event, a dead letter or nothing of a record.
func (b *batch) settle(r *kgo.Record, p *prepared, tries failure.Tries) error {
	err := b.accept(r, p)
	if err != nil && failure.Of(err) == failure.Permanent {
		b.deadLetter(r, p.provider, err, tries)
		return nil
	}
	return err
}

// output is what the transaction produces and, once it committed, leaves.
func (b *batch) output(ctx context.Context) transact.Output {
	out := append(b.out, b.tx.Records()...)
	if b.held != nil {
		out = append(out, b.held.Records()...)
	}
	return transact.Output{Records: out, Committed: func() { b.committed(ctx) }}
}

func (b *batch) committed(ctx context.Context) {
	b.tx.Commit(ctx)
	opened := b.opened()
	b.verdict.Commit()
	if b.held != nil {
		b.held.Commit()
		b.tell(ctx, opened)
	}
	b.metrics.add(ctx, b.tally)
	for _, f := range b.failed {
		deadletter.Log(ctx, b.cfg.Log, f.record, f.cause)
	}
}

// perWorker is how many records make another goroutine worth its start.
const perWorker = 16

// prepareAll prepares every record, on all processors.
func (b *batch) prepareAll(ctx context.Context, in []*kgo.Record) []prepared {
	out := make([]prepared, len(in))
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(perWorker))
			for i := end - perWorker; i < min(end, len(in)); i++ {
				out[i] = b.prepare(ctx, in[i])
			}
			if end >= len(in) {
				return
			}
		}
	}
	var g sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(in)/perWorker) - 1 {
		g.Go(work)
	}
	work()
	g.Wait()
	return out
}

// known reports whether the event was accepted before this batch.
func (b *batch) known(r *kgo.Record, f identity.Fingerprint) bool {
	_, known, _ := b.tx.Lookup(partitionOf(r), f)
	return known
}

func partitionOf(r *kgo.Record) kafka.Partition {
	return kafka.Partition{Topic: r.Topic, Partition: r.Partition}
}

var errConflict = errors.New("an event of this identity was accepted before with other data")

// accept outputs a prepared event unless it was accepted before. Only an event
// that is output is remembered: a dead-lettered one can be replayed.
func (b *batch) accept(r *kgo.Record, p *prepared) error {
	if p.err != nil {
		return p.err
	}
	if p.dropped {
		b.count(r, p.provider, outcomeDropped, "")
		return nil
	}
	mark, known, err := b.tx.Lookup(partitionOf(r), p.identity)
	switch {
	case err != nil:
		return err
	case known && mark.Conflicts(p.mark):
		return failure.NewPermanent(reason.IdentityConflict, fmt.Errorf("%s of %s: %w", p.eventID, p.provider, errConflict))
	case known:
		b.count(r, p.provider, outcomeDuplicate, "")
		return nil
	case p.refuse != nil:
		return p.refuse
	}
	if err := b.tx.Add(partitionOf(r), p.identity, p.mark); err != nil {
		return err
	}
	tracing.Continue(p.record, r)
	b.out = append(b.out, p.record)
	b.count(r, p.provider, outcomeEvent, "")
	return nil
}

// encode makes the event's record, with headroom for the failure headers of
// its dead letter.
func (b *batch) encode(ev *event.Event) (*kgo.Record, error) {
	value, err := b.cfg.Encoder.Encode(ev)
	if err != nil {
		return nil, failure.NewPermanent(reason.MappingFailed, err)
	}
	out := record.EventRecord(b.cfg.Kafka.Topics.Events(ev.Entity), ev, value)
	if size, most := kafka.RecordBytes(out), b.cfg.Kafka.MaxValueBytes(); size > most {
		return nil, failure.NewPermanent(reason.TooLarge, fmt.Errorf("event of %d bytes, at most %d fit", size, most))
	}
	return out, nil
}

func (b *batch) deadLetter(r *kgo.Record, provider string, cause error, tries failure.Tries) {
	b.out = append(b.out, b.cfg.DeadLetters.Record(r, cause, tries))
	b.failed = append(b.failed, failed{r, cause})
	b.count(r, provider, outcomeDeadLetter, failure.ReasonOf(cause))
}

// count notes what becomes of a record, in the tally and in its trace.
func (b *batch) count(r *kgo.Record, provider string, o outcome, why reason.Code) {
	b.tally.count(provider, o, why)
	if span, ok := tracing.Of(r); ok {
		span.SetAttributes(tracing.Outcome.String(string(o)))
	}
}
