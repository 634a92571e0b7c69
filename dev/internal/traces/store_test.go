// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"fmt"
	"slices"
	"strings"
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

// storeOf is bounded in spans, of all traces and of one.
func storeOf(all, perTrace int) *Store {
	return newStore(limits{all, defaultLimits.bytes}, limits{perTrace, defaultPerTrace.bytes})
}

func ids(traces []*Trace) (out []string) {
	for _, t := range traces {
		out = append(out, t.ID)
	}
	return out
}

func TestTheOldestTracesMakeRoom(t *testing.T) {
	s := storeOf(4, 10)
	for i := range 5 {
		trace := fmt.Sprintf("t%d", i)
		s.Add([]*Span{span(trace, "a", "", "root", 0, 1), span(trace, "b", "a", "child", 0, 1)})
	}
	if got := ids(s.Traces()); !slices.Equal(got, []string{"t4", "t3"}) {
		t.Errorf("kept %v, want the two newest", got)
	}
	if s.Trace("t0") != nil || s.Evicted() != 3 || s.held.spans != 4 {
		t.Errorf("t0 %v, %d evicted, %d spans", s.Trace("t0"), s.Evicted(), s.held.spans)
	}
}

// TestWhatSomebodyWillLookForStays: the page of the webhook that a person sent is
// still there when the sample traffic has filled the store many times.
func TestWhatSomebodyWillLookForStays(t *testing.T) {
	s := storeOf(20, 10)
	s.SampleTraffic("sample-")
	failed := span("failed", "a", "", "POST", 0, 1, keyEventID, "evt_sample-1")
	failed.Err = true
	s.Add([]*Span{
		span("sent", "a", "", "POST", 0, 1, keyEventID, "my-first/1"),
		span("opened", "a", "", "POST", 0, 1, keyEventID, "evt_sample-2"),
		span("replay", "a", "", "replay", 0, 1, keyBatchSize, "1", keyReplayID, "r"),
		failed,
	})
	if s.Open("opened") == nil || s.Open("absent") != nil {
		t.Fatal("what is opened is not what is there")
	}
	flood := func(name string, n int, attributes ...string) {
		for i := range n {
			s.Add([]*Span{span(fmt.Sprint(name, i), "a", "", "x", 0, 1, attributes...)})
		}
	}
	flood("sample", 100, keyEventID, "evt_sample-3")
	flood("batch", 100, keyBatchSize, "7")
	got := ids(s.Traces())
	if want := []string{"failed", "replay", "opened", "sent"}; len(got) != 20 || !slices.Equal(got[16:], want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	// They are half of it at most: then their oldest make room too.
	flood("theirs", 100, keyEventID, "theirs")
	flood("sample", 100, keyEventID, "evt_sample-4")
	got = ids(s.Traces())
	theirs := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !strings.HasPrefix(id, "theirs") })
	if len(got) != 20 || len(theirs) != 10 || theirs[0] != "theirs99" || s.held.spans != 20 || s.wanted.spans != 10 {
		t.Errorf("kept %v; %d spans, %d of them wanted", got, s.held.spans, s.wanted.spans)
	}
}

func TestOneTraceIsBounded(t *testing.T) {
	s := storeOf(2, 3)
	for i := range 5 {
		s.Add([]*Span{span("t", fmt.Sprint(i), "", "x", i, i+1)})
	}
	// The newest trace stays although it is larger than all of the store.
	got := s.Trace("t")
	if len(got.Spans) != 3 || got.Dropped != 2 || s.held.spans != 3 {
		t.Errorf("%d spans, %d dropped, %d counted", len(got.Spans), got.Dropped, s.held.spans)
	}
	if first, last := got.Spans[0].SpanID, got.Spans[2].SpanID; first != "0" || last != "4" {
		t.Errorf("spans %s to %s are kept, want how it began and how it ended", first, last)
	}
	// The root is the first to start and the last to end.
	s.Add([]*Span{span("t", "root", "", "root", -1, 9)})
	if got := s.Trace("t"); got.Spans[0].SpanID != "root" || got.Spans[2].SpanID != "4" {
		t.Errorf("a late root leaves %v", got.Spans)
	}
}

func TestLargeSpansTakeTheRoomOfMany(t *testing.T) {
	one := span("t", "a", "", "root", 0, 1, "text", strings.Repeat("x", 1000)).size().bytes
	s := newStore(limits{100, 5 * one}, limits{100, 3 * one})
	for i := range 20 {
		trace := fmt.Sprint(i / 10)
		s.Add([]*Span{span(trace, fmt.Sprint(i), "", "x", i, i+1, "text", strings.Repeat("x", 1000))})
	}
	if got := s.Trace("1"); got == nil || len(got.Spans) != 3 || got.Dropped != 7 {
		t.Errorf("of the newest trace %+v is kept", got)
	}
	if s.Trace("0") != nil || s.held.bytes != 3*one {
		t.Errorf("%d bytes are held, of %d", s.held.bytes, 5*one)
	}
}

func TestSpansAreKeptOnceAndInOrder(t *testing.T) {
	s := storeOf(10, 10)
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
	s := storeOf(10, 10)
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
	s := storeOf(50, 10)
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
	if s.held.spans > 50 {
		t.Errorf("%d spans are kept", s.held.spans)
	}
}
