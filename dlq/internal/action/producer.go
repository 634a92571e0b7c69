// SPDX-License-Identifier: Apache-2.0

package action

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
)

const (
	// abandoned is when the broker aborts a transaction whose operator
	// vanished. Until then readers wait at it.
	abandoned = time.Minute
	// patience bounds one transaction. It is shorter, so that we notice first.
	patience = 45 * time.Second
)

// ErrFenced means that another operator took over.
var ErrFenced = errors.New("another operator works on the same dead letters and took over; " +
	"nothing was sent twice. See what is left with: dlq list --status open")

// ErrTooLarge means that a topic takes less than the plan took for granted.
var ErrTooLarge = errors.New("the topic's max.message.bytes is below HOOKSTREAM_MAX_MESSAGE_BYTES; its transaction was not sent. " +
	"Raise the topic's, or set the variable to it: what is larger is then refused, and the rest is sent")

// producer writes the transactions of one partition of the dead-letter topic.
type producer struct {
	client    *kgo.Client
	partition int32
}

// TransactionalID is the one transactional id of a partition of the dead-letter
// topic, so that two operators cannot act on one dead letter (KIP-98). The topic
// is part of it, because installations may share a cluster.
func TransactionalID(topic string, partition int32) string {
	return fmt.Sprintf("hookstream-dlq-replay-%s-%d", topic, partition)
}

// newProducer takes the partition's transactional id over: the broker aborts
// what its previous owner had in hand before it answers.
func newProducer(ctx context.Context, cfg *kafka.Config, log *slog.Logger, partition int32) (*producer, error) {
	id := TransactionalID(cfg.Topics.DeadLetters, partition)
	client, err := cfg.NewClient(id, log, kgo.TransactionalID(id), kgo.TransactionTimeout(abandoned))
	if err != nil {
		return nil, err
	}
	if _, _, err := client.ProducerID(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("take over transactional id %s: %w", id, explain(err))
	}
	return &producer{client, partition}, nil
}

func (p *producer) close() { p.client.Close() }

// commit writes the records in one transaction, all or none. Once begun it is
// brought to an end even if ctx ends, within patience.
//
// When the answer to the commit is lost, its outcome is unknown here, but not to
// the broker: the next run waits for it and reads the resolutions.
func (p *producer) commit(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(tracing.Outside(context.WithoutCancel(ctx)), patience)
	defer cancel()
	if err := p.client.BeginTransaction(); err != nil {
		return explain(err)
	}
	crash.At(crash.InReplay)
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		// If this fails too, the broker aborts when the transaction times out
		// or the next run takes over.
		_ = p.client.EndTransaction(ctx, kgo.TryAbort)
		return explain(err)
	}
	crash.At(crash.BeforeReplayEnd)
	err := p.client.EndTransaction(ctx, kgo.TryCommit)
	crash.At(crash.AfterReplayEnd)
	return explain(err)
}

func explain(err error) error {
	// A commit of what the next owner's start has aborted looks to the broker like
	// a retry that changed its mind (KIP-890): that is the invalid state.
	for _, fenced := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.InvalidTxnState} {
		if errors.Is(err, fenced) {
			return ErrFenced // how the broker words it depends on when it noticed
		}
	}
	if errors.Is(err, kerr.MessageTooLarge) {
		return fmt.Errorf("%w (%w)", ErrTooLarge, err)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; run the same command again: it goes on where this one stopped", kafka.Classify(err))
}
