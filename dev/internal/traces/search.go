// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"cmp"
	"fmt"
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
	keyTopic         = "messaging.destination.name"
	keyPartition     = "messaging.destination.partition.id"
	keyOffset        = "messaging.kafka.offset"
)

// Summary is one line of the list.
type Summary struct {
	ID string
	// Title is the provider and the event's type, or the root's name.
	Title             string
	Provider, EventID string
	// Outcome is what became of it, and Failure the first thing that went wrong.
	Outcome, Failure string
	// DeadLetter is the ID of the dead letter that came of it.
	DeadLetter string
	// Replay tells that it is of a dead letter that was replayed.
	Replay   bool
	Services []string
	Start    time.Time
	Duration time.Duration
}

// Summary is what the list says of a trace.
func (t *Trace) Summary() Summary {
	s := Summary{
		ID: t.ID, Title: t.title(), Services: t.services(), Provider: t.attribute(keyProvider), EventID: t.attribute(keyEventID),
		Outcome: t.outcome(), DeadLetter: t.deadLetter(), Replay: t.attribute(keyReplayID) != "",
	}
	s.Start, s.Duration = t.extent()
	for _, span := range t.Spans {
		s.Failure = cmp.Or(s.Failure, span.Failure())
	}
	return s
}

// title names a webhook as a person would; its root's name is that of all.
func (t *Trace) title() string {
	provider := t.attribute(keyProvider)
	if provider == "" {
		return t.Root().Name
	}
	eventType := t.attribute(keyEventType)
	if eventType == "" || eventType == unknownType {
		eventType = "webhook"
	}
	return provider + " " + eventType
}

// unknownType is the edge's for a body that it cannot read.
const unknownType = "unknown"

// outcomeDeadLetter is what has become of a webhook that a stage gave up.
const outcomeDeadLetter = "dead-letter"

// outcome is what a stage told last, or that it gave up: a stage that does tells
// no outcome where the record was sampled only because of that.
func (t *Trace) outcome() (outcome string) {
	if t.deadLetter() != "" {
		return outcomeDeadLetter
	}
	for _, s := range t.Spans {
		outcome = cmp.Or(s.Attribute(keyOutcome), outcome)
	}
	return outcome
}

// deadLetterTopic ends the name of the topic of dead letters.
const deadLetterTopic = "hookstream.dlq"

// deadLetter is the ID of the dead letter that was written in the trace, or "". It
// is made of the record that failed, whose processing wrote it.
func (t *Trace) deadLetter() string {
	for _, letter := range t.Spans {
		if !strings.HasSuffix(letter.Attribute(keyTopic), deadLetterTopic) {
			continue
		}
		for _, s := range t.Spans {
			if s.SpanID == letter.ParentID && s.Attribute(keyOffset) != "" {
				return fmt.Sprintf("%s:%s/%s/%s", s.Service, s.Attribute(keyTopic), s.Attribute(keyPartition), s.Attribute(keyOffset))
			}
		}
	}
	return ""
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
	// Provider and Outcome are compared whole.
	Provider, Outcome string
	// Errors asks for traces in which a span failed.
	Errors bool
	// Batches asks also for those of batches, to which each webhook's links.
	Batches bool
}

// Matches reports whether a trace is looked for.
func (f Filter) Matches(t *Trace) bool {
	return (f.Provider == "" || t.attribute(keyProvider) == f.Provider) &&
		(f.Outcome == "" || t.outcome() == f.Outcome) &&
		(f.Batches || !t.batch) &&
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
