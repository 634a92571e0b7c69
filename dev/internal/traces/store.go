// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"slices"
	"sync"
)

// Store keeps the newest traces in memory. It is bounded in spans and in bytes:
// the oldest traces go first.
type Store struct {
	// limits are those of all traces, and of one.
	limits, perTrace limits

	mu     sync.RWMutex
	traces map[string]*Trace
	// order has the ids of traces, oldest first.
	order []string
	// held is what all of them take.
	held limits
	// evicted counts traces that made room for newer ones.
	evicted int
}

// limits are numbers of spans and of bytes.
type limits struct{ spans, bytes int }

func (l limits) within(most limits) bool { return l.spans <= most.spans && l.bytes <= most.bytes }

func (l *limits) add(s *Span) {
	l.spans++
	l.bytes += s.size()
}

func (l *limits) remove(s *Span) {
	l.spans--
	l.bytes -= s.size()
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
			t.insert(span)
			s.held.add(span)
			s.thin(t)
		}
	}
	s.evict()
}

// thin takes spans out of the middle of a trace that is too large. A record of a
// held partition gets new ones every ten seconds, and its last ones tell what
// became of it.
func (s *Store) thin(t *Trace) {
	for !t.held.within(s.perTrace) && len(t.Spans) > 1 {
		middle := len(t.Spans) / 2
		s.held.remove(t.Spans[middle])
		t.held.remove(t.Spans[middle])
		t.Spans = slices.Delete(t.Spans, middle, middle+1)
		t.Dropped++
	}
}

// evict makes room. The newest trace stays, whatever its size.
func (s *Store) evict() {
	n := 0
	for ; !s.held.within(s.limits) && n < len(s.order)-1; n++ {
		t := s.traces[s.order[n]]
		s.held.spans -= t.held.spans
		s.held.bytes -= t.held.bytes
		delete(s.traces, t.ID)
	}
	s.evicted += n
	s.order = slices.Delete(s.order, 0, n)
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
	t.held.add(span)
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

func (t *Trace) clone() *Trace { return &Trace{t.ID, slices.Clone(t.Spans), t.Dropped, t.held} }

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
