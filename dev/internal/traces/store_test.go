// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

var epoch = time.Unix(1_800_000_000, 0)

// span is a span of a test, from and to in milliseconds after epoch.
func span(trace, id, parent, name string, from, to int, attrs ...string) *Span {
	s := &Span{
		TraceID: trace, SpanID: id, ParentID: parent, Name: name, Kind: "internal", Service: "ingest",
		Start: epoch.Add(time.Duration(from) * time.Millisecond), End: epoch.Add(time.Duration(to) * time.Millisecond),
	}
	for pair := range slices.Chunk(attrs, 2) {
		s.Attributes = append(s.Attributes, Attribute{pair[0], pair[1]})
	}
	return s
}

func ids(traces []*Trace) (out []string) {
	for _, t := range traces {
		out = append(out, t.ID)
	}
	return out
}

func TestTheOldestTracesMakeRoom(t *testing.T) {
	s := newStore(4, 10)
	for i := range 5 {
		trace := fmt.Sprintf("t%d", i)
		s.Add([]*Span{span(trace, "a", "", "root", 0, 1), span(trace, "b", "a", "child", 0, 1)})
	}
	if got := ids(s.Traces()); !slices.Equal(got, []string{"t4", "t3"}) {
		t.Errorf("kept %v, want the two newest", got)
	}
	if s.Trace("t0") != nil || s.Evicted() != 3 || s.spans != 4 {
		t.Errorf("t0 %v, %d evicted, %d spans", s.Trace("t0"), s.Evicted(), s.spans)
	}
}

func TestOneTraceIsBounded(t *testing.T) {
	s := newStore(2, 3)
	for i := range 5 {
		s.Add([]*Span{span("t", fmt.Sprint(i), "", "x", i, i+1)})
	}
	// The newest trace stays although it is larger than all of the store.
	if got := s.Trace("t"); len(got.Spans) != 3 || got.Dropped != 2 {
		t.Errorf("%d spans, %d dropped", len(got.Spans), got.Dropped)
	}
}

func TestSpansAreKeptOnceAndInOrder(t *testing.T) {
	s := newStore(10, 10)
	late, early := span("t", "b", "a", "late", 5, 6), span("t", "a", "", "early", 1, 7)
	s.Add([]*Span{late})
	before := s.Trace("t")
	s.Add([]*Span{early, late})
	if got := s.Trace("t").Spans; !slices.Equal(got, []*Span{early, late}) {
		t.Errorf("got %v", got)
	}
	if len(before.Spans) != 1 {
		t.Error("a copy has changed")
	}
}

func TestLinkedFrom(t *testing.T) {
	s := newStore(10, 10)
	batch := span("batch", "b", "", "batch", 1, 2)
	batch.Links = []Link{{TraceID: "other"}, {TraceID: "webhook", SpanID: "w"}}
	self := span("webhook", "x", "w", "retry", 1, 2)
	self.Links = []Link{{TraceID: "webhook"}}
	s.Add([]*Span{span("webhook", "w", "", "root", 0, 1), batch, self})
	if got := s.LinkedFrom("webhook"); !slices.Equal(got, []*Span{batch}) {
		t.Errorf("got %v", got)
	}
}

func TestReadersAndWritersAtOnce(t *testing.T) {
	s := newStore(50, 10)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				s.Add([]*Span{span(fmt.Sprintf("%d-%d", w, i%20), fmt.Sprint(i), "", "x", i, i+1)})
			}
		})
		wg.Go(func() {
			for range 100 {
				for _, trace := range s.Find(Filter{Text: "x"}) {
					_ = trace.Summary()
				}
			}
		})
	}
	wg.Wait()
	if s.spans > 50 {
		t.Errorf("%d spans are kept", s.spans)
	}
}
