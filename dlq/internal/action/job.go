// SPDX-License-Identifier: Apache-2.0

// Package action does what an operator decided about dead letters: replay or
// discard them, or take a discard back. It plans first; carrying the plan out is
// transactional, so that it can be killed anywhere and started again, and sends
// nothing twice.
package action

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/identify"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Job is one decision about many dead letters.
type Job struct {
	Kafka *kafka.Config
	Log   *slog.Logger

	Action record.Action
	// IDs selects dead letters by name. Without any, Match does, among those
	// that have the status that the action starts from.
	IDs   []string
	Match func(*letters.Letter) bool

	// By and Why are written to the resolutions, and the ID of the run:
	// ReplayID of a replay, RunID of anything else.
	By, Why, ReplayID, RunID string
	// MaxReplays refuses records that were replayed that often, against
	// loops.
	MaxReplays int
	// Limit is the most dead letters to act on, in all attempts at a replay
	// together; 0 is all.
	Limit int
	// BatchSize is the most dead letters of one transaction.
	BatchSize int
	// Pace of a replay; nil is as fast as possible.
	Pace *Pace
	// Edit gives the payload to send in place of a dead letter's own, and what
	// to say of it; nil sends what failed. An error refuses the dead letter.
	Edit func(*letters.Letter) ([]byte, *record.Edit, error)
	// Identify gives what ingest could not identify an identity, after Edit; nil
	// sends it under none, where it is not edited, and refuses it where it is. An
	// error refuses the dead letter.
	Identify func(*record.DeadLetter) (*record.DeadLetter, *record.Identity, error)

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

// from is the status that a dead letter must have for the action.
func (j *Job) from() string {
	if j.Action == record.Reopened {
		return string(record.Discarded)
	}
	return resolutions.Open
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

// act is what is done to one dead letter.
type act struct {
	// record to produce; nil where nothing is sent.
	record *kgo.Record
	// edit says how it differs from the dead letter; nil where it does not.
	edit *record.Edit
	// identity is one that the dead letter had not; nil where it keeps its own.
	identity *record.Identity
}

// Verdict is what a replay would do with an open dead letter: the record to
// produce, or why it refuses.
func (j *Job) Verdict(l *letters.Letter) (replayed *kgo.Record, refusal string) {
	a, refusal := j.decide(l)
	return a.record, refusal
}

func (j *Job) decide(l *letters.Letter) (a act, refusal string) {
	if j.Action != record.Replayed {
		return a, ""
	}
	to, ok := j.target(l)
	switch {
	case l.Other():
		return a, "it is another program's dead letter, which only that program can take back"
	case !ok:
		return a, fmt.Sprintf("stage %.40q is unknown to this version", l.Stage)
	case !j.TopicExists(to):
		return a, fmt.Sprintf("topic %.249s does not exist", to)
	case l.Omitted != "":
		return a, "the record was too large to be kept in its dead letter; dlq show says where it still is"
	case l.ReplayCount() >= j.MaxReplays:
		return a, fmt.Sprintf("replayed %d times already; mend the cause, then raise --max-replays", l.ReplayCount())
	}
	sent, err := j.mended(l, &a)
	if err != nil {
		return act{}, err.Error()
	}
	r, err := sent.Replay(to, j.ReplayID)
	if err != nil {
		return a, "its origin headers cannot be read"
	}
	if !j.Kafka.Fits(r) {
		return a, "too large for HOOKSTREAM_MAX_MESSAGE_BYTES; raise it and the topic's max.message.bytes"
	}
	a.record = r
	return a, ""
}

// mended is what to send of l, and says in a how it differs.
func (j *Job) mended(l *letters.Letter, a *act) (*record.DeadLetter, error) {
	sent := l.DeadLetter
	if j.Edit != nil {
		value, edit, err := j.Edit(l)
		if err != nil {
			return nil, err
		}
		if edit != nil {
			sent, a.edit = l.Edited(value, j.By), edit
		}
	}
	if j.Identify == nil {
		if a.edit != nil {
			return sent, unidentified(l)
		}
		return sent, nil
	}
	identified, id, err := j.Identify(sent)
	if err != nil {
		return nil, fmt.Errorf("it cannot be identified: %w", err)
	}
	if a.identity = id; id != nil {
		identified = identified.Edited(identified.Value, j.By)
	}
	return identified, nil
}

// unidentified is why an edit alone does not help what ingest could not identify:
// it would be sent under no identity of its own, and fail for that.
func unidentified(l *letters.Letter) error {
	if defect, ok := identify.Unidentified(l.DeadLetter); ok {
		return fmt.Errorf("ingest could not identify it (%.40s), so an edit alone does not help: replay with --identify (identify in the API), which finds its identity in the payload", defect)
	}
	return nil
}

// resolution says that the job was done to l. What was decided before is kept in
// it, because the topic is compacted.
func (j *Job) resolution(l *letters.Letter, a act, previous *record.Resolution) *record.Resolution {
	r := &record.Resolution{
		DeadLetterID: l.ID, Action: j.Action, By: j.By, Why: j.Why, At: j.Now().UTC().Truncate(time.Microsecond),
		RunID: j.RunID, Edit: a.edit, Identity: a.identity,
	}
	r.Replaces(previous)
	if a.record != nil {
		r.ReplayID, r.Target = j.ReplayID, a.record.Topic
	}
	return r
}
