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
	// is nil, and Next where it is not known: while partitions are taken over.
	Failures int
	Next     time.Time
	// Err is nil where the partitions are not tried again any more: they are
	// applied, or no longer ours.
	Err error
}

// failed tells of a failed attempt and waits for the next. It returns an error
// when ctx ends first.
func (l *Loop) failed(ctx context.Context, parts []kafka.Partition, failures int, err error) error {
	delay := failure.DefaultBackoff.Delay(failures)
	l.meter.Waiting(progress.Retrying, len(parts))
	l.cfg.Attempts(Attempt{Partitions: parts, Failures: failures, Next: time.Now().Add(delay), Err: err})
	return failure.Sleep(ctx, delay)
}

// over tells that nothing of the partitions is tried again.
func (l *Loop) over(parts []kafka.Partition) {
	if len(parts) > 0 {
		l.meter.Waiting(progress.Retrying, 0)
		l.cfg.Attempts(Attempt{Partitions: parts})
	}
}
