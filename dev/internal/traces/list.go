// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// listed is how many traces one page of the list has.
const listed = 100

// listPage is what the list shows.
type listPage struct {
	Pointers            []Pointer
	Filter              Filter
	Live                bool
	LiveURL             string
	Traces              []Summary
	Found, Kept         int
	Evicted             int
	Providers, Outcomes []string
	Services            []string
	Endpoint            string
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := listPage{
		Pointers: s.pointed(), Live: q.Get("live") != "", Endpoint: s.Endpoint(),
		Filter: Filter{
			Text: strings.TrimSpace(q.Get("q")), Provider: q.Get("provider"), Outcome: q.Get("outcome"), Errors: q.Get("errors") != "", Batches: q.Get("batches") != "",
		},
	}
	p.LiveURL = liveURL(q, !p.Live)
	all := s.Traces()
	p.Kept, p.Evicted = len(all), s.Evicted()
	p.Providers = choices(all, p.Filter.Provider, func(t *Trace) string { return t.attribute(keyProvider) })
	p.Outcomes = choices(all, p.Filter.Outcome, (*Trace).outcome)
	for _, t := range all {
		if !p.Filter.Matches(t) {
			continue
		}
		if p.Found++; p.Found <= listed {
			p.Traces = append(p.Traces, t.Summary())
		}
	}
	p.Services = servicesOf(p.Traces)
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

// choices are the values there are, and the chosen one, whose traces may all have
// made room.
func choices(traces []*Trace, chosen string, of func(*Trace) string) []string {
	seen := map[string]bool{}
	var out []string
	if chosen != "" {
		seen[chosen], out = true, []string{chosen}
	}
	for _, t := range traces {
		if v := of(t); v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// servicesOf are the services that the list shows, for its legend.
func servicesOf(traces []Summary) []string {
	var out []string
	for _, t := range traces {
		out = append(out, t.Services...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
