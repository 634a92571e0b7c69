// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

// tracePage is what the page of a trace shows.
type tracePage struct {
	Pointers []Pointer
	ID       string
	// Trace is nil where it is not kept, or not yet here.
	Trace   *Trace
	Summary Summary
	Facts   []Attribute
	Rows    []Row
	Ticks   []string
	Related relations
	// Commands are what to type for more.
	Commands []string
}

// relations are the traces at the other ends of links, each once, whoever made
// the link.
type relations struct {
	Traces []related
	// More are further ones, Absent those that are not kept.
	More, Absent int
}

// related is a trace at the other end of a link, and the span there.
type related struct {
	Summary
	SpanID string
}

// maxRelated bounds what is shown of them; a batch has hundreds.
const maxRelated = 20

// facts are the attributes by which a person knows an event again.
var facts = []Attribute{
	{"event id", keyEventID}, {"tenant", keyTenant}, {"correlation id", keyCorrelationID}, {"replay id", keyReplayID},
}

func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	p := tracePage{Pointers: s.pointed(), ID: strings.ToLower(r.PathValue("id"))}
	p.Trace = s.Open(p.ID)
	if p.Trace == nil {
		render(w, http.StatusNotFound, "trace.html", p)
		return
	}
	p.Summary, p.Rows = p.Trace.Summary(), p.Trace.Waterfall()
	for _, f := range facts {
		if v := p.Trace.attribute(f.Value); v != "" {
			p.Facts = append(p.Facts, Attribute{f.Key, v})
		}
	}
	const ticks = 4
	for i := range ticks {
		p.Ticks = append(p.Ticks, formatDuration(p.Summary.Duration*time.Duration(i)/ticks))
	}
	p.Commands = s.commands(p.Summary)
	p.Related = s.relate(append(linksTo(p.Trace), s.linkedFrom(p.ID)...))
	render(w, http.StatusOK, "trace.html", p)
}

// commands show the dead letter, and the event's journey with its other deliveries.
func (s *Server) commands(t Summary) (out []string) {
	if plain(t.DeadLetter) {
		out = append(out, s.tools().DeadLetter+" "+t.DeadLetter)
	}
	if plain(t.EventID) {
		out = append(out, s.tools().Journey+" "+t.EventID)
	}
	return out
}

// plain reports whether a text means only itself to a shell. Senders choose ids, and
// people paste.
func plain(s string) bool { return plainText.MatchString(s) }

var plainText = regexp.MustCompile(`^[\w@%+:,./][\w@%+:,./-]*$`)

// linksTo are the links of a trace to others.
func linksTo(t *Trace) []Link {
	var out []Link
	for _, span := range t.Spans {
		for _, l := range span.Links {
			if l.TraceID != t.ID {
				out = append(out, l)
			}
		}
	}
	return out
}

// linkedFrom are links back to the spans that link to a trace.
func (s *Server) linkedFrom(id string) []Link {
	var out []Link
	for _, span := range s.LinkedFrom(id) {
		out = append(out, Link{TraceID: span.TraceID, SpanID: span.SpanID})
	}
	return out
}

// relate looks up the traces that links lead to.
func (s *Server) relate(links []Link) relations {
	var out relations
	seen := map[string]bool{}
	for _, l := range links {
		if seen[l.TraceID] {
			continue
		}
		seen[l.TraceID] = true
		t := s.Trace(l.TraceID)
		switch {
		case t == nil:
			out.Absent++
		case len(out.Traces) == maxRelated:
			out.More++
		default:
			out.Traces = append(out.Traces, related{t.Summary(), l.SpanID})
		}
	}
	return out
}
