// SPDX-License-Identifier: Apache-2.0

package fenced

import (
	"context"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/progress"
)

// Attempt is what became of an attempt at some partitions.
type Attempt struct {
	Partitions []kafka.Partition
	// Failures in a row, and when the next attempt is. Both are zero where Err
	// is nil.
	Failures int
	Next     time.Time
	// Err is nil where the partitions are not tried again any more: they are
	// applied, or no longer ours.
	Err error
}

// tried tells everyone who asks of a failed attempt at batches, and when the next
// is.
func (l *Loop) tried(ctx context.Context, batches []Batch, failures int, delay time.Duration, err error) {
	l.cfg.Status(false, err.Error())
	l.meter.Waiting(progress.Retrying, len(batches))
	l.cfg.Attempts(Attempt{Partitions: partitionsOf(batches), Failures: failures, Next: time.Now().Add(delay), Err: err})
	l.cfg.Log.WarnContext(ctx, "batch failed; trying again",
		"partitions", len(batches), "attempt", failures, "seconds", delay.Seconds(), "error", err)
}

// pause waits before the next attempt, and all partitions with it. It reports false
// when patience ended.
func (l *Loop) pause(patience context.Context, s *setback) bool {
	delay := failure.DefaultBackoff.Delay(s.here)
	l.tried(patience, s.batches, s.failures, delay, s.cause)
	return failure.Sleep(patience, delay) == nil
}

// over tells that nothing of the partitions is tried again.
func (l *Loop) over(parts []kafka.Partition) {
	if len(parts) > 0 {
		l.meter.Waiting(progress.Retrying, 0)
		l.cfg.Attempts(Attempt{Partitions: parts})
	}
}
