// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"fmt"
	"slices"
	"testing"
)

func TestWaterfall(t *testing.T) {
	trace := &Trace{ID: "t", Spans: []*Span{
		span("t", "root", "", "root", 0, 100),
		span("t", "b", "root", "second", 50, 100),
		span("t", "a", "root", "first", 10, 20),
		span("t", "aa", "a", "below the first", 10, 10),
		span("t", "lost", "elsewhere", "orphan", 90, 95),
		span("t", "self", "self", "its own parent", 95, 96),
		span("t", "one", "two", "parent of its parent", 97, 99),
		span("t", "two", "one", "parent of its parent", 98, 99),
	}}
	slices.SortStableFunc(trace.Spans, func(a, b *Span) int { return a.Start.Compare(b.Start) })
	var got []string
	for _, r := range trace.Waterfall() {
		got = append(got, fmt.Sprintf("%s depth %d at %.1f for %.1f orphan %v", r.SpanID, r.Depth, r.Left, r.Width, r.Orphan))
	}
	want := []string{
		"root depth 0 at 0.0 for 100.0 orphan false",
		"a depth 1 at 10.0 for 10.0 orphan false",
		"aa depth 2 at 10.0 for 0.3 orphan false",
		"b depth 1 at 50.0 for 50.0 orphan false",
		"lost depth 0 at 90.0 for 5.0 orphan true",
		"self depth 0 at 95.0 for 1.0 orphan false",
		"one depth 0 at 97.0 for 2.0 orphan false",
		"two depth 1 at 98.0 for 1.0 orphan false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

func TestBarsStayInside(t *testing.T) {
	trace := &Trace{Spans: []*Span{span("t", "a", "", "a", 0, 0), span("t", "b", "a", "b", 0, 0)}}
	for _, r := range trace.Waterfall() {
		if r.Left != 0 || r.Width != 100 {
			t.Errorf("a trace without duration: %+v", r)
		}
	}
	trace = &Trace{Spans: []*Span{span("t", "a", "", "a", 0, 1000), span("t", "b", "a", "b", 1000, 1000)}}
	for _, r := range trace.Waterfall() {
		if r.Left < 0 || r.Left+r.Width > 100 || r.Width < minWidth-0.001 {
			t.Errorf("%s: %v and %v wide", r.SpanID, r.Left, r.Width)
		}
	}
}
