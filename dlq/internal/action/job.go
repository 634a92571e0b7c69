// SPDX-License-Identifier: Apache-2.0

// Package action does what an operator decided about dead letters: replay or
// discard. It plans first; carrying the plan out is transactional, so that it
// can be killed anywhere and started again, and sends nothing twice.
package action

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Job is one decision about many dead letters.
type Job struct {
	Kafka *kafka.Config
	Log   *slog.Logger

	Action record.Action
	// IDs selects dead letters by name. Without any, Match does, among those
	// that are open.
	IDs   []string
	Match func(*letters.Letter) bool

	// By, Why and ReplayID are written to the resolutions.
	By, Why, ReplayID string
	// MaxReplays refuses records that were replayed that often, against
	// loops.
	MaxReplays int
	// BatchSize is the most dead letters of one transaction.
	BatchSize int

	// TopicExists tells vanished targets.
	TopicExists func(topic string) bool
	// Foreign is told of records that are no dead letters.
	Foreign letters.Foreign
	// Planned and Done are told of progress: how many dead letters were
	// looked at, and how many transactions have committed of them.
	Planned, Done func(n int)
	// Now is the clock.
	Now func() time.Time
}

// target is the topic that a dead letter goes back to. What transform gave up
// returns to the raw topic that it came from; what the sink gave up goes to the
// sink alone, so that downstream never sees it twice.
func (j *Job) target(l *letters.Letter) (string, bool) {
	switch l.Stage {
	case record.StageTransform:
		return l.Failed.Topic, true
	case record.StageSink:
		return j.Kafka.Topics.SinkReplay, true
	}
	return "", false
}

// Verdict is what the job would do with an open dead letter: the record to
// produce, which is nil for a discard, or why it refuses.
func (j *Job) Verdict(l *letters.Letter) (replayed *kgo.Record, refusal string) {
	if j.Action == record.Discarded {
		return nil, ""
	}
	to, ok := j.target(l)
	switch {
	case !ok:
		return nil, fmt.Sprintf("stage %.40q is unknown to this version", l.Stage)
	case !j.TopicExists(to):
		return nil, fmt.Sprintf("topic %.249s does not exist", to)
	case l.Omitted != "":
		return nil, "the record was too large to be kept in its dead letter; dlq show says where it still is"
	case l.ReplayCount() >= j.MaxReplays:
		return nil, fmt.Sprintf("replayed %d times already; mend the cause, then raise --max-replays", l.ReplayCount())
	}
	r, err := l.Replay(to, j.ReplayID)
	if err != nil {
		return nil, "its origin headers cannot be read"
	}
	if !j.Kafka.Fits(r) {
		return nil, "too large for HOOKSTREAM_MAX_MESSAGE_BYTES; raise it and the topic's max.message.bytes"
	}
	return r, ""
}

// resolution says that the job was done to l.
func (j *Job) resolution(l *letters.Letter, replayed *kgo.Record) *record.Resolution {
	r := &record.Resolution{DeadLetterID: l.ID, Action: j.Action, By: j.By, Why: j.Why, At: j.Now().UTC().Truncate(time.Microsecond)}
	if replayed != nil {
		r.ReplayID, r.Target = j.ReplayID, replayed.Topic
	}
	return r
}
