// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"slices"
	"sync"
)

// Store keeps the newest traces in memory. It holds at most a number of spans:
// the oldest traces go first.
type Store struct {
	maxSpans, maxPerTrace int

	mu     sync.RWMutex
	traces map[string]*Trace
	// order has the ids of traces, oldest first.
	order []string
	spans int
	// evicted counts traces that made room for newer ones.
	evicted int
}

// What a store keeps. A span takes about a kilobyte.
const (
	defaultMaxSpans    = 100_000
	defaultMaxPerTrace = 1_000
)

// NewStore makes an empty store.
func NewStore() *Store { return newStore(defaultMaxSpans, defaultMaxPerTrace) }

func newStore(maxSpans, maxPerTrace int) *Store {
	return &Store{maxSpans: maxSpans, maxPerTrace: maxPerTrace, traces: map[string]*Trace{}}
}

// Trace is what has arrived of one trace so far.
type Trace struct {
	ID string
	// Spans are in the order of their starts.
	Spans []*Span
	// Dropped counts spans beyond what is kept of one trace.
	Dropped int
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
		switch {
		case t.has(span.SpanID):
		case len(t.Spans) >= s.maxPerTrace:
			t.Dropped++
		default:
			t.insert(span)
			s.spans++
		}
	}
	s.evict()
}

// evict makes room. The newest trace stays, whatever its size.
func (s *Store) evict() {
	n := 0
	for ; s.spans > s.maxSpans && n < len(s.order)-1; n++ {
		s.spans -= len(s.traces[s.order[n]].Spans)
		delete(s.traces, s.order[n])
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

func (t *Trace) clone() *Trace { return &Trace{t.ID, slices.Clone(t.Spans), t.Dropped} }

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
