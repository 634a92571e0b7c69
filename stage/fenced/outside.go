// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// fetchError is kafka.FetchError that knows where the offsets are: not in Kafka, whose
// tools would reset what nobody reads.
func (l *Loop) fetchError(ctx context.Context, client *kgo.Client, e kgo.FetchError) error {
	if !errors.Is(e.Err, kerr.OffsetOutOfRange) {
		return kafka.FetchError(e)
	}
	p := kafka.Partition{Topic: e.Topic, Partition: e.Partition}
	l.mu.Lock()
	next := l.claims[p].Next
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, p.Topic)
	ends, endsErr := admin.ListEndOffsets(ctx, p.Topic)
	if err := errors.Join(err, starts.Error(), endsErr, ends.Error()); err != nil {
		return kafka.Classify(err) // the next session asks again
	}
	start, _ := starts.Lookup(p.Topic, p.Partition)
	end, _ := ends.Lookup(p.Topic, p.Partition)
	if next < start.Offset {
		return failure.NewFatal("%s: the stored offset %d is outside the log, which has %d to %d: the %d records between were deleted before they were applied. "+
			"Recover what was in them; to go on without them, run in the database\n  %s\nand start again: %w",
			p, next, start.Offset, end.Offset, start.Offset-next, l.store.Reset(p, start.Offset), e.Err)
	}
	return failure.NewFatal("%s: the stored offset %d is outside the log, which has %d to %d: the topic was made anew, or lost its last records. "+
		"To apply all that it has, run in the database\n  %s\nand start again: %w",
		p, next, start.Offset, end.Offset, l.store.Reset(p, start.Offset), e.Err)
}
