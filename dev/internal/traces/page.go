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
	"time"
)

//go:embed page
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"duration": formatDuration,
	// As in the logs and in `hookstream trace`.
	"clock":  func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
	"full":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 MST") },
	"colour": colour,
	"state":  state,
	"short":  func(id string) string { return id[:min(len(id), 8)] },
	"since":  func(t, start time.Time) string { return formatDuration(t.Sub(start)) },
	"search": func(text string) string { return "/?" + url.Values{"q": {text}}.Encode() },
}).ParseFS(assets, "page/*.html"))

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

// state is the class of an outcome: good where a row came of it, bad where it was
// given up or refused.
func state(s Summary) string {
	switch {
	case s.Outcome == "applied":
		return "good"
	case s.Outcome == outcomeDeadLetter, s.Failure != "":
		return "bad"
	}
	return ""
}

// colour is the class of a service: our own have one each, others share four.
func colour(service string) string {
	if slices.Contains(ours, service) {
		return service
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(service))
	return fmt.Sprintf("other%d", h.Sum32()%4)
}
