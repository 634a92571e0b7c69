// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/deadletter"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
)

// refusal is a record that cannot be applied, and why.
type refusal struct {
	record *kgo.Record
	cause  error
}

// refusals are all of the batch's, in the order of its items.
func (b *batch) refusals() []refusal {
	all := slices.Clone(b.refused)
	for _, it := range b.items {
		if cause := b.poison[it]; cause != nil {
			all = append(all, refusal{it.record, cause})
		}
	}
	return all
}

// produceTimeout bounds how long a transaction stays open for the broker.
const produceTimeout = 15 * time.Second

// bury produces the batch's dead letters. It returns when all replicas have
// them. A failure is Transient: the batch is tried again, and a copy that was
// written all the same has the same id.
func (b *batch) bury(ctx context.Context) error {
	refusals := b.refusals()
	if len(refusals) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, produceTimeout)
	defer cancel()
	letters := make([]*kgo.Record, len(refusals))
	for i, r := range refusals {
		letters[i] = b.store.cfg.Letters.Record(r.record, r.cause, b.tries(r.record))
	}
	err := b.store.cfg.Producer.ProduceSync(tracing.Outside(ctx), letters...).FirstErr()
	if errors.Is(err, kerr.MessageTooLarge) {
		return failure.NewFatal("a dead letter is larger than the broker takes: raise max.message.bytes of %s and HOOKSTREAM_MAX_MESSAGE_BYTES: %w",
			b.store.cfg.Letters.Topic, err)
	}
	if err != nil {
		return kafka.Classify(fmt.Errorf("produce %d dead letters to %s: %w", len(letters), b.store.cfg.Letters.Topic, err))
	}
	for _, r := range refusals {
		deadletter.Log(ctx, b.store.cfg.Log, r.record, r.cause)
	}
	return nil
}
