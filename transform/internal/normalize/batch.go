// SPDX-License-Identifier: Apache-2.0

package normalize

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/transact"
	"github.com/hookstream/hookstream/transform/internal/dedup"
)

// batch collects the output of one transaction.
type batch struct {
	*Processor
	tx    *dedup.Tx
	out   []*kgo.Record
	tally tally
}

var errConflict = errors.New("an event of this identity was accepted before with other data")

// accept outputs a prepared event unless it was accepted before. Only an event
// that is output is remembered: a dead-lettered one can be replayed.
func (b *batch) accept(r *kgo.Record, p prepared) error {
	if p.event == nil {
		b.tally.count(p.provider, outcomeDropped, "")
		return nil
	}
	part := transact.Partition{Topic: r.Topic, Partition: r.Partition}
	mark, known, err := b.tx.Lookup(part, p.identity)
	switch {
	case err != nil:
		return err
	case known && mark.Conflicts(p.mark):
		return failure.NewPermanent(reason.IdentityConflict, fmt.Errorf("%s of %s: %w", p.event.Meta.EventID, p.provider, errConflict))
	case known:
		b.tally.count(p.provider, outcomeDuplicate, "")
		return nil
	}
	out, err := b.encode(p.event)
	if err != nil {
		return err
	}
	if err := b.tx.Add(part, p.identity, p.mark); err != nil {
		return err
	}
	out.Context = r.Context // the trace goes on
	b.out = append(b.out, out)
	b.tally.count(p.provider, outcomeEvent, "")
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

func (b *batch) deadLetter(r *kgo.Record, provider string, cause error) {
	b.out = append(b.out, b.cfg.DeadLetters.Record(r, cause, 1))
	b.tally.count(provider, outcomeDeadLetter, failure.ReasonOf(cause))
}
