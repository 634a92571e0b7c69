// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
)

// Stage is the part of the pipeline that gave a record up.
type Stage string

// The stages that dead-letter.
const (
	StageTransform Stage = "transform"
	StageSink      Stage = "sink"
)

// DeadLetter is a record that failed for good, with its reason. Key, Value and
// Headers are the failed record's own, unchanged.
type DeadLetter struct {
	Stage Stage
	// Failed is where the failed record was read from.
	Failed Position

	Class          string
	Reason         reason.Code
	Exception      string
	Message        string
	Attempts       int
	FirstFailedAt  time.Time
	LastFailedAt   time.Time
	ServiceVersion string
	// Omitted says what of Key, Value and Headers is missing, because all of
	// it did not fit into a record. It can still be read at Failed, as long
	// as that topic keeps it.
	Omitted string

	Key     []byte
	Value   []byte
	Headers header.List
}

// maxMessage bounds the failure message, which may quote the input.
const maxMessage = 2048

// ID names the failure: the stage and the failed record's position. Two copies
// of one failure, left by a crash between dead-lettering and commit, are one
// dead letter.
func (d *DeadLetter) ID() string { return string(d.Stage) + ":" + d.Failed.String() }

// ReplayCount is how often the failed record had been replayed before.
func (d *DeadLetter) ReplayCount() int {
	n, err := intHeader(d.Headers, header.ReplayCount, 32)
	if err != nil {
		return 0
	}
	return max(0, int(n))
}

// Origin is where the failed record was first written; a replay keeps it.
func (d *DeadLetter) Origin() (Position, error) {
	first, ok := d.Headers.Get(header.OriginTopic)
	if !ok {
		return d.Failed, nil
	}
	p, err := parsePosition(d.Headers, first, header.OriginPartition, header.OriginOffset)
	if err != nil {
		return Position{}, fmt.Errorf("dead letter %s: %w", d.ID(), err)
	}
	return p, nil
}

// Record is the Kafka record of d for the dead-letter topic.
func (d *DeadLetter) Record(deadLetters string) *kgo.Record {
	h := d.Headers
	h.DeleteFunc(header.IsFailure)
	h.Add(header.ErrorTopic, d.Failed.Topic)
	h.Add(header.ErrorPartition, header.FormatInt(d.Failed.Partition))
	h.Add(header.ErrorOffset, header.FormatInt(d.Failed.Offset))
	h.Add(header.ErrorStage, string(d.Stage))
	h.Add(header.ErrorException, d.Exception)
	h.Add(header.ErrorMessage, truncate(d.Message, maxMessage))
	h.Add(header.FailureClass, d.Class)
	h.Add(header.FailureReason, string(d.Reason))
	h.Add(header.FailureAttempts, header.FormatInt(d.Attempts))
	h.Add(header.FailureFirst, header.FormatTime(d.FirstFailedAt))
	h.Add(header.FailureLast, header.FormatTime(d.LastFailedAt))
	h.AddSet(header.ServiceVersion, d.ServiceVersion)
	h.AddSet(header.FailureOmitted, d.Omitted)
	return &kgo.Record{Topic: deadLetters, Key: d.Key, Value: d.Value, Headers: h}
}

// truncate cuts s to at most n bytes of valid UTF-8.
func truncate(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// ParseDeadLetter reads a record of the dead-letter topic.
func ParseDeadLetter(r *kgo.Record) (*DeadLetter, error) {
	f := fields{headers: r.Headers}
	d := &DeadLetter{
		Stage:          Stage(f.required(header.ErrorStage)),
		Class:          f.required(header.FailureClass),
		Reason:         reason.Code(f.required(header.FailureReason)),
		Exception:      f.optional(header.ErrorException),
		Message:        f.optional(header.ErrorMessage),
		Attempts:       int(f.int(header.FailureAttempts, 32)),
		FirstFailedAt:  f.time(header.FailureFirst, true),
		LastFailedAt:   f.time(header.FailureLast, true),
		ServiceVersion: f.optional(header.ServiceVersion),
		Omitted:        f.optional(header.FailureOmitted),
		Key:            r.Key,
		Value:          r.Value,
	}
	failedTopic := f.required(header.ErrorTopic)
	f.required(header.ErrorPartition)
	f.required(header.ErrorOffset)
	if f.err != nil {
		return nil, f.err
	}
	var err error
	if d.Failed, err = parsePosition(f.headers, failedTopic, header.ErrorPartition, header.ErrorOffset); err != nil {
		return nil, err
	}
	d.Headers = f.headers
	d.Headers.DeleteFunc(header.IsFailure)
	return d, nil
}

// Edited is a copy of d with another payload. Who edited it travels with its
// replay; everything that identifies the record stays.
func (d *DeadLetter) Edited(value []byte, by string) *DeadLetter {
	e := *d
	e.Value, e.Headers = value, slices.Clone(d.Headers)
	e.Headers.Set(header.EditedBy, by)
	return &e
}

// ReplayID names the replay that the failed record came from, or "".
func (d *DeadLetter) ReplayID() string {
	id, _ := d.Headers.Get(header.ReplayID)
	return id
}

// Replay is the failed record again, without the failure headers, for topic
// to. It remembers the position it was first written at, which stays its place
// in the order, and counts the replay. A dead letter that does not hold the
// whole record cannot be replayed.
func (d *DeadLetter) Replay(to, replayID string) (*kgo.Record, error) {
	if d.Omitted != "" {
		return nil, fmt.Errorf("dead letter %s lacks the record's %s: copy the record at %s instead", d.ID(), d.Omitted, d.Failed)
	}
	first, err := d.Origin()
	if err != nil {
		return nil, err
	}
	h := d.Headers
	h.DeleteFunc(isReplay)
	h.Add(header.OriginTopic, first.Topic)
	h.Add(header.OriginPartition, header.FormatInt(first.Partition))
	h.Add(header.OriginOffset, header.FormatInt(first.Offset))
	h.Add(header.ReplayCount, header.FormatInt(d.ReplayCount()+1))
	h.Add(header.ReplayID, replayID)
	return &kgo.Record{Topic: to, Key: d.Key, Value: d.Value, Headers: h}, nil
}

// isReplay reports whether every replay writes a header anew.
func isReplay(name string) bool {
	switch name {
	case header.OriginTopic, header.OriginPartition, header.OriginOffset, header.OriginTraceParent, header.ReplayCount, header.ReplayID:
		return true
	}
	return false
}
