// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"slices"
	"strings"
	"sync"
)

// Store keeps the newest traces in memory. It is bounded in spans and in bytes: the
// oldest traces go first, and those that somebody will look for last, which are half
// of it at most.
type Store struct {
	// limits are those of all traces, and of one.
	limits, perTrace limits

	mu     sync.RWMutex
	traces map[string]*Trace
	// order has the ids of traces, oldest first.
	order []string
	// held is what all of them take, and wanted what those that are wanted do.
	held, wanted limits
	// sample is in the event ids of sample traffic, where there is any.
	sample string
	// evicted counts traces that made room for newer ones.
	evicted int
}

// limits are numbers of spans and of bytes.
type limits struct{ spans, bytes int }

func (l limits) within(most limits) bool { return l.spans <= most.spans && l.bytes <= most.bytes }

func (l limits) half() limits { return limits{l.spans / 2, l.bytes / 2} }

func (l *limits) add(more limits) {
	l.spans += more.spans
	l.bytes += more.bytes
}

func (l *limits) remove(less limits) {
	l.spans -= less.spans
	l.bytes -= less.bytes
}

// What a store keeps. A span of ours takes about a kilobyte.
var (
	defaultLimits   = limits{spans: 100_000, bytes: 256 << 20}
	defaultPerTrace = limits{spans: 1_000, bytes: 16 << 20}
)

// NewStore makes an empty store.
func NewStore() *Store { return newStore(defaultLimits, defaultPerTrace) }

func newStore(all, perTrace limits) *Store {
	return &Store{limits: all, perTrace: perTrace, traces: map[string]*Trace{}}
}

// Trace is what has arrived of one trace so far.
type Trace struct {
	ID string
	// Spans are in the order of their starts.
	Spans []*Span
	// Dropped counts spans beyond what is kept of one trace. They are from its
	// middle: how it began and how it ended is what is looked for.
	Dropped int
	held    limits
	// opened tells that somebody looked at it, and failed and sample what is in it.
	opened, failed, sample, batch bool
}

// wanted reports whether somebody will look for it: it has been opened, something
// failed, or it is of a webhook that a person sent.
func (t *Trace) wanted() bool { return t.opened || t.failed || !t.sample && !t.batch }

// SampleTraffic has the events with mark in their ids make room before others.
func (s *Store) SampleTraffic(mark string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sample = mark
}

// Add keeps spans. One that was added before is not added again: exporters
// repeat what was not acknowledged.
func (s *Store) Add(spans []*Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, span := range spans {
		t := s.traces[span.TraceID]
		if t == nil {
			t = &Trace{ID: span.TraceID}
			s.traces[span.TraceID] = t
			s.order = append(s.order, span.TraceID)
		}
		if !t.has(span.SpanID) {
			s.change(t, func() {
				t.insert(span)
				t.note(span, s.sample)
				s.thin(t)
			})
		}
	}
	s.evict()
}

// Open notes that somebody looks at a trace, and gives a copy of it, or nil.
func (s *Store) Open(id string) *Trace {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.traces[id]
	if t == nil {
		return nil
	}
	s.change(t, func() { t.opened = true })
	return t.clone()
}

// change keeps the sums right while a trace changes.
func (s *Store) change(t *Trace, change func()) {
	s.forget(t)
	change()
	s.held.add(t.held)
	if t.wanted() {
		s.wanted.add(t.held)
	}
}

func (s *Store) forget(t *Trace) {
	s.held.remove(t.held)
	if t.wanted() {
		s.wanted.remove(t.held)
	}
}

// thin takes spans out of the middle of a trace that is too large. A record of a
// held partition gets new ones every ten seconds, and its last ones tell what
// became of it.
func (s *Store) thin(t *Trace) {
	for !t.held.within(s.perTrace) && len(t.Spans) > 1 {
		middle := len(t.Spans) / 2
		t.held.remove(t.Spans[middle].size())
		t.Spans = slices.Delete(t.Spans, middle, middle+1)
		t.Dropped++
	}
}

// evict makes room. The newest trace stays, whatever its size.
func (s *Store) evict() {
	if s.held.within(s.limits) {
		return
	}
	last := len(s.order) - 1
	left := s.order[:0]
	for i, id := range s.order {
		t := s.traces[id]
		stays := s.held.within(s.limits) || i == last || t.wanted() && s.wanted.within(s.limits.half())
		if stays {
			left = append(left, id)
			continue
		}
		s.forget(t)
		delete(s.traces, id)
		s.evicted++
	}
	s.order = left
}

func (t *Trace) has(spanID string) bool {
	return slices.ContainsFunc(t.Spans, func(s *Span) bool { return s.SpanID == spanID })
}

func (t *Trace) insert(span *Span) {
	at, _ := slices.BinarySearchFunc(t.Spans, span, func(a, b *Span) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return -1 // after those of the same time
	})
	t.Spans = slices.Insert(t.Spans, at, span)
	t.held.add(span.size())
}

// note takes from a span what decides whether the trace is wanted.
func (t *Trace) note(span *Span, sample string) {
	t.failed = t.failed || span.Err
	t.batch = t.batch || span.Attribute(keyBatchSize) != "" && span.Attribute(keyReplayID) == ""
	t.sample = t.sample || sample != "" && strings.Contains(span.Attribute(keyEventID), sample)
}

// Trace is a copy of a trace, or nil.
func (s *Store) Trace(id string) *Trace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if t := s.traces[id]; t != nil {
		return t.clone()
	}
	return nil
}

// Traces are copies of all traces, the newest first.
func (s *Store) Traces() []*Trace {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*Trace, 0, len(s.order))
	for _, id := range slices.Backward(s.order) {
		out = append(out, s.traces[id].clone())
	}
	return out
}

func (t *Trace) clone() *Trace {
	c := *t
	c.Spans = slices.Clone(t.Spans)
	return &c
}

// LinkedFrom are the spans of other traces that link to a trace, oldest first.
func (s *Store) LinkedFrom(id string) []*Span {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*Span
	for _, other := range s.order {
		if other == id {
			continue
		}
		for _, span := range s.traces[other].Spans {
			if slices.ContainsFunc(span.Links, func(l Link) bool { return l.TraceID == id }) {
				out = append(out, span)
			}
		}
	}
	return out
}

// Evicted is how many traces have made room for newer ones.
func (s *Store) Evicted() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.evicted
}
