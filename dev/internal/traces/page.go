// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"bytes"
	"embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

//go:embed page
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"duration": formatDuration,
	"clock":    func(t time.Time) string { return t.Format("15:04:05.000") },
	"full":     func(t time.Time) string { return t.Format("2006-01-02 15:04:05.000 MST") },
	"colour":   colour,
	"short":    func(id string) string { return id[:min(len(id), 8)] },
	"since":    func(t, start time.Time) string { return formatDuration(t.Sub(start)) },
	"search":   func(text string) string { return "/?" + url.Values{"q": {text}}.Encode() },
}).ParseFS(assets, "page/*.html"))

// listed is how many traces one page of the list has.
const listed = 100

// listPage is what the list shows.
type listPage struct {
	Pointers         []Pointer
	Filter           Filter
	Live             bool
	LiveURL          string
	Traces           []Summary
	Found, Kept      int
	Evicted          int
	Providers, Names []string
	Endpoint         string
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := listPage{
		Pointers: s.pointed(), Live: q.Get("live") != "", Endpoint: s.Endpoint(),
		Filter: Filter{
			Text: strings.TrimSpace(q.Get("q")), Provider: q.Get("provider"), Name: q.Get("name"), Errors: q.Get("errors") != "",
		},
	}
	p.LiveURL = liveURL(q, !p.Live)
	all := s.Traces()
	p.Kept, p.Evicted = len(all), s.Evicted()
	p.Providers = distinct(all, func(t *Trace) string { return t.attribute(keyProvider) })
	p.Names = distinct(all, func(t *Trace) string { return t.Root().Name })
	for _, t := range all {
		if !p.Filter.Matches(t) {
			continue
		}
		if p.Found++; p.Found <= listed {
			p.Traces = append(p.Traces, t.Summary())
		}
	}
	render(w, http.StatusOK, "list.html", p)
}

// liveURL is the same page with or without reloading itself.
func liveURL(q url.Values, live bool) string {
	q.Del("live")
	if live {
		q.Set("live", "1")
	}
	return "/?" + q.Encode()
}

func distinct(traces []*Trace, of func(*Trace) string) []string {
	seen := map[string]bool{}
	var out []string
	for _, t := range traces {
		if v := of(t); v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// tracePage is what the page of a trace shows.
type tracePage struct {
	Pointers []Pointer
	ID       string
	// Trace is nil where it is not kept, or not yet here.
	Trace      *Trace
	Summary    Summary
	Facts      []Attribute
	Rows       []Row
	Ticks      []string
	LinksTo    []related
	LinkedFrom []related
}

// related is a span of another trace that a link leads to or comes from.
type related struct {
	TraceID, SpanID string
	// Name says what it is, or is empty where the other trace is not kept.
	Name, Service string
	Start         time.Time
}

// maxRelated bounds the links above the waterfall; a batch has hundreds.
const maxRelated = 20

// factKeys are the attributes by which a person knows an event again.
var factKeys = []string{
	keyProvider, keyEventType, keyEventID, "hookstream.tenant", "hookstream.correlation_id", "hookstream.business_key",
	"hookstream.dead_letter.id", "hookstream.replay.id",
}

func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	p := tracePage{Pointers: s.pointed(), ID: strings.ToLower(r.PathValue("id"))}
	p.Trace = s.Trace(p.ID)
	if p.Trace == nil {
		render(w, http.StatusNotFound, "trace.html", p)
		return
	}
	p.Summary, p.Rows = p.Trace.Summary(), p.Trace.Waterfall()
	for _, key := range factKeys {
		if v := p.Trace.attribute(key); v != "" {
			p.Facts = append(p.Facts, Attribute{strings.TrimPrefix(key, "hookstream."), v})
		}
	}
	const ticks = 4
	for i := range ticks {
		p.Ticks = append(p.Ticks, formatDuration(p.Summary.Duration*time.Duration(i)/ticks))
	}
	p.LinksTo = s.linksTo(p.Trace)
	for _, span := range first(s.LinkedFrom(p.ID), maxRelated) {
		p.LinkedFrom = append(p.LinkedFrom, related{span.TraceID, span.SpanID, span.Name, span.Service, span.Start})
	}
	render(w, http.StatusOK, "trace.html", p)
}

// linksTo are the spans of other traces to which a trace links, each once.
func (s *Server) linksTo(t *Trace) []related {
	var out []related
	seen := map[string]bool{t.ID: true}
	for _, span := range t.Spans {
		for _, l := range span.Links {
			if seen[l.TraceID] || len(out) == maxRelated {
				continue
			}
			seen[l.TraceID] = true
			to := related{TraceID: l.TraceID, SpanID: l.SpanID}
			if other := s.Trace(l.TraceID); other != nil {
				root := other.Root()
				to.Name, to.Service, to.Start = root.Name, root.Service, root.Start
			}
			out = append(out, to)
		}
	}
	return out
}

func (s *Server) pointed() []Pointer {
	if p := s.pointers.Load(); p != nil {
		return *p
	}
	return nil
}

func render(w http.ResponseWriter, code int, name string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		slog.Error("traces page", "template", name, "error", err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = page.WriteTo(w) // the reader has gone; nobody is left to tell
}

// formatDuration has three digits: 0 µs, 12.3 ms, 1.25 s, 2m05s.
func formatDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d >= time.Second:
		return digits(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return fmt.Sprintf("%d µs", d/time.Microsecond)
}

func digits(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// colour is the class of a service: our own have one each, others share four.
func colour(service string) string {
	switch service {
	case "ingest", "transform", "sink", "dlq":
		return service
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(service))
	return fmt.Sprintf("other%d", h.Sum32()%4)
}
