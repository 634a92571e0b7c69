// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
)

// FetchError gives an error that a poll returned its class, or nil where it
// only says that the poll was interrupted. A *kgo.ErrGroupSession stays one: the
// client has lost its partitions. A stored offset that the log no
// longer holds is Fatal: whatever was between is lost to this consumer, and a
// person must decide.
func FetchError(e kgo.FetchError) error {
	var loss *kgo.ErrDataLoss
	var group *kgo.ErrGroupSession
	switch {
	case errors.As(e.Err, &group): // of no partition, and a timeout too is one
		return Classify(fmt.Errorf("consumer group: %w", e.Err))
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, kgo.ErrClientClosed):
		return nil
	case errors.Is(e.Err, kerr.OffsetOutOfRange):
		return failure.NewFatal("%s/%d: the stored offset is outside the log: records were deleted before they were read, or the topic was made anew. "+
			"What to type is in docs/runbooks/offset-outside-log.md: %w", e.Topic, e.Partition, e.Err)
	case errors.As(e.Err, &loss):
		return failure.NewFatal("%s/%d: the broker lost records: consumed up to offset %d, the log now ends at %d: %w",
			loss.Topic, loss.Partition, loss.ConsumedTo, loss.ResetTo, e.Err)
	}
	return Classify(fmt.Errorf("fetch %s/%d: %w", e.Topic, e.Partition, e.Err))
}
