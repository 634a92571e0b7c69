// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Attributes of our spans that the pages know by name; stage/tracing has them all.
const (
	keyProvider      = "hookstream.provider"
	keyEventType     = "cloudevents.event_type"
	keyEventID       = "cloudevents.event_id"
	keyTenant        = "hookstream.tenant"
	keyCorrelationID = "hookstream.correlation_id"
	keyReplayID      = "hookstream.replay.id"
	keyOutcome       = "hookstream.outcome"
	keyErrorType     = "error.type"
	keyStage         = "hookstream.stage"
	keyClientID      = "messaging.client.id"
	keyGroup         = "messaging.consumer.group.name"
	keyBatchSize     = "messaging.batch.message_count"
)

// Summary is one line of the list.
type Summary struct {
	ID, Name                     string
	Provider, EventType, EventID string
	// Outcome is the last that a stage told, Failure the first.
	Outcome, Failure string
	// Replay tells that it is of a dead letter that was replayed.
	Replay   bool
	Services []string
	Start    time.Time
	Duration time.Duration
	Spans    int
}

// Summary is what the list says of a trace.
func (t *Trace) Summary() Summary {
	s := Summary{
		ID: t.ID, Name: t.Root().Name, Spans: len(t.Spans) + t.Dropped, Services: t.services(),
		Provider: t.attribute(keyProvider), EventType: t.attribute(keyEventType), EventID: t.attribute(keyEventID),
		Replay: t.attribute(keyReplayID) != "",
	}
	s.Start, s.Duration = t.extent()
	for _, span := range t.Spans {
		s.Outcome = cmp.Or(span.Attribute(keyOutcome), s.Outcome)
		s.Failure = cmp.Or(s.Failure, span.Failure())
	}
	return s
}

// Root is the span without a parent, or the first one of those that have come.
func (t *Trace) Root() *Span {
	for _, s := range t.Spans {
		if s.ParentID == "" {
			return s
		}
	}
	return t.Spans[0]
}

// services are in the order of their first spans.
func (t *Trace) services() []string {
	var out []string
	for _, s := range t.Spans {
		if !slices.Contains(out, s.Service) {
			out = append(out, s.Service)
		}
	}
	return out
}

// attribute is the first value of an attribute among the spans, or "".
func (t *Trace) attribute(key string) string {
	for _, s := range t.Spans {
		if v := s.Attribute(key); v != "" {
			return v
		}
	}
	return ""
}

// extent is the start of the first span and the time until the last one's end.
func (t *Trace) extent() (start time.Time, duration time.Duration) {
	start = t.Spans[0].Start
	for _, s := range t.Spans {
		duration = max(duration, s.End.Sub(start))
	}
	return start, duration
}

// Filter says which traces are looked for. Its zero value is all of them.
type Filter struct {
	// Text is the begin of a trace id, or part of a span's name or of the value
	// of an attribute: an event id, a correlation id, an offset.
	Text string
	// Provider and Name, the root's, are compared whole.
	Provider, Name string
	// Errors asks for traces in which a span failed.
	Errors bool
	// Batches asks also for those of batches, to which each webhook's links. They
	// are left out unless asked for, or named.
	Batches bool
}

// Matches reports whether a trace is looked for.
func (f Filter) Matches(t *Trace) bool {
	return (f.Provider == "" || t.attribute(keyProvider) == f.Provider) &&
		(f.Name == "" || t.Root().Name == f.Name) &&
		(f.Batches || f.Name != "" || t.Root().Attribute(keyBatchSize) == "") &&
		(!f.Errors || slices.ContainsFunc(t.Spans, func(s *Span) bool { return s.Err })) &&
		(f.Text == "" || strings.HasPrefix(t.ID, strings.ToLower(f.Text)) ||
			slices.ContainsFunc(t.Spans, func(s *Span) bool { return s.mentions(f.Text) }))
}

func (s *Span) mentions(text string) bool {
	return s.SpanID == text || strings.Contains(s.Name, text) || strings.Contains(s.Message, text) ||
		slices.ContainsFunc(s.Attributes, func(a Attribute) bool { return strings.Contains(a.Value, text) })
}

// Find gives the traces that match, the newest first.
func (s *Store) Find(f Filter) []*Trace {
	return slices.DeleteFunc(s.Traces(), func(t *Trace) bool { return !f.Matches(t) })
}
