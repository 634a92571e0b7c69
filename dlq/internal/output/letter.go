// SPDX-License-Identifier: Apache-2.0

package output

import (
	"time"
	"unicode/utf8"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Letter is a dead letter as -o json writes it. Names are a contract with
// scripts: add to them, never change one.
type Letter struct {
	ID             string             `json:"id"`
	Status         string             `json:"status"`
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
	Exception      string             `json:"exception,omitempty"`
	ServiceVersion string             `json:"service_version,omitempty"`
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
func NewLetter(l *letters.Letter, resolved *resolutions.Set) Letter {
	v := Letter{
		ID: l.ID, Status: resolved.Status(l.ID),
		FailedAt: l.LastFailedAt, FirstFailedAt: l.FirstFailedAt, Attempts: l.Attempts,
		Stage: l.Stage, Tenant: l.Tenant(), Provider: l.Provider(),
		EventType: l.EventType(), EventID: l.EventID(), Key: string(l.Key),
		Reason: l.Reason, Class: l.Class, Message: l.Message, Exception: l.Exception,
		ServiceVersion: l.ServiceVersion, TraceID: l.TraceID(), ReplayCount: l.ReplayCount(),
		Failed: Position(l.Failed), DeadLetter: Position(l.At),
		PayloadBytes: len(l.Value), Omitted: l.Omitted, Resolution: resolved.Get(l.ID),
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
	Headers []Header `json:"headers"`
	// Payload is the record's value where it is UTF-8, PayloadBase64 where
	// it is not.
	Payload       *string `json:"payload,omitempty"`
	PayloadBase64 []byte  `json:"payload_base64,omitempty"`
}

// Header is one record header.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NewFull describes l with its headers and, if asked, its payload.
func NewFull(l *letters.Letter, resolved *resolutions.Set, replay string, payload bool) Full {
	f := Full{Letter: NewLetter(l, resolved), Replay: replay, Headers: []Header{}}
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
