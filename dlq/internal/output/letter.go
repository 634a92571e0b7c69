// SPDX-License-Identifier: Apache-2.0

package output

import (
	"time"
	"unicode/utf8"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Status is what became of a dead letter.
type Status struct {
	// State is open, replayed, discarded or unreadable, and Unreadable why it is.
	State      string
	Unreadable string
	Resolution *record.Resolution
	// Outcome of a replay; nil where it was not asked for.
	Outcome *outcome.Outcome
}

// Letter is a dead letter as -o json writes it. Names are a contract with
// scripts: add to them, never change one.
type Letter struct {
	ID             string             `json:"id"`
	Status         string             `json:"status"`
	Outcome        *outcome.Outcome   `json:"outcome,omitempty"`
	FailedAt       time.Time          `json:"failed_at"`
	FirstFailedAt  time.Time          `json:"first_failed_at"`
	Attempts       int                `json:"attempts"`
	Stage          record.Stage       `json:"stage"`
	Tenant         string             `json:"tenant,omitempty"`
	Provider       string             `json:"provider,omitempty"`
	EventType      string             `json:"event_type,omitempty"`
	EventID        string             `json:"event_id,omitempty"`
	Key            string             `json:"key"`
	Reason         reason.Code        `json:"reason"`
	Class          string             `json:"class"`
	Message        string             `json:"message"`
	Fingerprint    string             `json:"fingerprint"`
	Exception      string             `json:"exception,omitempty"`
	ServiceVersion string             `json:"service_version,omitempty"`
	CorrelationID  string             `json:"correlation_id,omitempty"`
	TraceID        string             `json:"trace_id,omitempty"`
	ReplayCount    int                `json:"replay_count"`
	Failed         Position           `json:"failed"`
	Origin         *Position          `json:"origin,omitempty"`
	DeadLetter     Position           `json:"dead_letter"`
	PayloadBytes   int                `json:"payload_bytes"`
	Omitted        string             `json:"omitted,omitempty"`
	Resolution     *record.Resolution `json:"resolution,omitempty"`
}

// Position is where a record lies in Kafka.
type Position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// NewLetter describes l, without its payload and headers.
func NewLetter(l *letters.Letter, s Status) Letter {
	v := Letter{
		ID: l.ID, Status: s.State, Outcome: s.Outcome,
		FailedAt: l.LastFailedAt, FirstFailedAt: l.FirstFailedAt, Attempts: l.Attempts,
		Stage: l.Stage, Tenant: l.Tenant(), Provider: l.Provider(),
		EventType: l.EventType(), EventID: l.EventID(), Key: string(l.Key),
		Reason: l.Reason, Class: l.Class, Message: l.Message, Fingerprint: l.Fingerprint(), Exception: l.Exception,
		ServiceVersion: l.ServiceVersion, CorrelationID: l.CorrelationID(), TraceID: l.TraceID(), ReplayCount: l.ReplayCount(),
		Failed: Position(l.Failed), DeadLetter: Position(l.At),
		PayloadBytes: len(l.Value), Omitted: l.Omitted, Resolution: s.Resolution,
	}
	if origin, err := l.Origin(); err == nil && origin != l.Failed {
		v.Origin = (*Position)(&origin)
	}
	return v
}

// Full is a dead letter with everything in it.
type Full struct {
	Letter
	// Replay says what a replay would do.
	Replay  string   `json:"replay"`
	Similar Similar  `json:"similar"`
	Headers []Header `json:"headers"`
	// Payload is the record's value where it is UTF-8, PayloadBase64 where
	// it is not.
	Payload       *string `json:"payload,omitempty"`
	PayloadBase64 []byte  `json:"payload_base64,omitempty"`
}

// Similar are the other failures of the same fingerprint.
type Similar struct {
	Count int `json:"count"`
	Open  int `json:"open"`
	// Newest are the IDs of a few, the newest first.
	Newest []string `json:"newest"`
}

// Header is one record header.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NewFull describes l with its headers. Payload adds the value.
func NewFull(l *letters.Letter, s Status, replay string, similar Similar, payload bool) Full {
	f := Full{Letter: NewLetter(l, s), Replay: replay, Similar: similar, Headers: []Header{}}
	for _, h := range l.Headers {
		f.Headers = append(f.Headers, Header{h.Key, string(h.Value)})
	}
	if payload && utf8.Valid(l.Value) {
		text := string(l.Value)
		f.Payload = &text
	} else if payload {
		f.PayloadBase64 = l.Value
	}
	return f
}

// Text is the status for people.
func (l *Letter) Text() string {
	switch o := l.Outcome; {
	case o == nil || o.State == outcome.Unknown:
		return l.Status
	default:
		return string(o.State)
	}
}
