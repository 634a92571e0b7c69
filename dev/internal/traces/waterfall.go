// SPDX-License-Identifier: Apache-2.0

package traces

import "time"

// Row is a span in the waterfall.
type Row struct {
	*Span
	Depth int
	// Left and Width place its bar, in percent of the trace's duration.
	Left, Width float64
	// Orphan tells that its parent has not come, was dropped, or is another
	// program's.
	Orphan bool
}

// minWidth keeps the shortest span visible.
const minWidth = 0.3

// Waterfall orders the spans of a trace as a tree: each below its parent, and
// children by their starts. Of spans that are each other's parents, which only a
// faulty program sends, the first is taken for the root.
func (t *Trace) Waterfall() []Row {
	start, total := t.extent()
	children := map[string][]*Span{}
	known := map[string]bool{}
	for _, s := range t.Spans {
		known[s.SpanID] = true
	}
	var roots []*Span
	for _, s := range t.Spans {
		if known[s.ParentID] && s.ParentID != s.SpanID {
			children[s.ParentID] = append(children[s.ParentID], s)
		} else {
			roots = append(roots, s)
		}
	}
	rows := make([]Row, 0, len(t.Spans))
	shown := map[string]bool{}
	var add func(s *Span, depth int)
	add = func(s *Span, depth int) {
		if shown[s.SpanID] {
			return
		}
		shown[s.SpanID] = true
		rows = append(rows, row(s, depth, start, total, s.ParentID != "" && !known[s.ParentID]))
		for _, c := range children[s.SpanID] {
			add(c, depth+1)
		}
	}
	for _, s := range roots {
		add(s, 0)
	}
	for _, s := range t.Spans {
		add(s, 0) // what no root leads to
	}
	return rows
}

func row(s *Span, depth int, start time.Time, total time.Duration, orphan bool) Row {
	r := Row{Span: s, Depth: depth, Width: 100, Orphan: orphan}
	if total > 0 {
		r.Left = min(100*float64(s.Start.Sub(start))/float64(total), 100-minWidth)
		r.Width = min(max(100*float64(s.Duration())/float64(total), minWidth), 100-r.Left)
	}
	return r
}
