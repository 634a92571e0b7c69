// SPDX-License-Identifier: Apache-2.0

// Package journeys holds hookstream trace to what an installation really did: the
// built program, a real Postgres, and journeys of every kind.
package journeys

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/schemas/record"
)

// Journey is the part of hookstream trace's JSON that is held to.
type Journey struct {
	EventID    string     `json:"event_id"`
	Status     string     `json:"status"`
	Deliveries []Delivery `json:"deliveries"`
}

// Delivery is one webhook of the event.
type Delivery struct {
	Status string `json:"status"`
	Hops   []Hop  `json:"hops"`
}

// Hop is one step of its way.
type Hop struct {
	Kind     string           `json:"kind"`
	At       *time.Time       `json:"at"`
	After    *float64         `json:"after_seconds"`
	Stage    string           `json:"stage"`
	Position *record.Position `json:"position"`
	Gone     bool             `json:"gone"`
	Action   string           `json:"action"`
	Remote   string           `json:"remote"`
	Scheme   string           `json:"verification"`
	Key      string           `json:"verification_key"`
	Version  *struct {
		Revision int `json:"revision"`
	} `json:"version"`
}

// way is a delivery in short: its status and its hops.
func (d *Delivery) way() string {
	words := []string{d.Status + ":"}
	for _, h := range d.Hops {
		word := h.Kind
		if h.Action != "" {
			word = h.Action
		}
		if h.Stage != "" {
			word += "(" + h.Stage + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// Gap is what is missing in a journey of so many deliveries, or "".
func (j *Journey) Gap(deliveries int) string {
	if len(j.Deliveries) != deliveries {
		return fmt.Sprintf("%d deliveries, %d were stored", len(j.Deliveries), deliveries)
	}
	for i := range j.Deliveries {
		for n := range j.Deliveries[i].Hops {
			if what := j.Deliveries[i].Hops[n].gap(); what != "" {
				return fmt.Sprintf("delivery %d, hop %d: %s", i+1, n+1, what)
			}
		}
	}
	return ""
}

func (h *Hop) gap() string {
	switch {
	case h.Kind == "waiting", h.Kind == "unknown", h.Gone:
		return "is " + h.Kind
	case h.Kind == "request" && (h.At == nil || h.Remote == "" || h.Scheme == "" || h.Key == ""):
		return "the request lacks something"
	case h.Kind == "event" && (h.Version == nil || h.Version.Revision == 0):
		return "the definition's revision is not told"
	case slices.Contains([]string{"raw", "event", "sink-replay", "dead-letter"}, h.Kind) && h.Position == nil:
		return h.Kind + " has no position"
	case slices.Contains([]string{"event", "sink-replay", "dead-letter", "resolution", "row"}, h.Kind) && h.After == nil:
		return h.Kind + " has no time"
	}
	return ""
}

// Ways are the deliveries in short.
func (j *Journey) Ways() []string {
	var ways []string
	for i := range j.Deliveries {
		ways = append(ways, j.Deliveries[i].way())
	}
	return ways
}

// has reports whether the deliveries, or one of them, went the way.
func (j *Journey) has(way string, one bool) bool {
	found := 0
	for _, w := range j.Ways() {
		if strings.Contains(w, way) {
			found++
		}
	}
	return found == len(j.Deliveries) || one && found > 0
}
