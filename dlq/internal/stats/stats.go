// SPDX-License-Identifier: Apache-2.0

// Package stats counts dead letters by what failed, in memory that depends on
// how many kinds of failure there are and not on how many dead letters.
package stats

import (
	"cmp"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// maxGroups bounds the kinds that are told apart. Messages quote what strangers
// sent, so there can be as many kinds as dead letters.
const maxGroups = 10_000

// Group is one kind of failure.
type Group struct {
	Fingerprint string       `json:"fingerprint"`
	Stage       record.Stage `json:"stage"`
	Provider    string       `json:"provider"`
	EventType   string       `json:"event_type"`
	Reason      reason.Code  `json:"reason"`
	// Pattern is the message with ids, numbers and times replaced by #.
	Pattern   string    `json:"pattern"`
	Open      int       `json:"open"`
	Replayed  int       `json:"replayed"`
	Discarded int       `json:"discarded"`
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	// Example is the ID of the newest dead letter.
	Example string `json:"example"`
	// Rate is how many failed in each sixteenth of the time that all groups
	// cover.
	Rate [Columns]int `json:"rate"`

	rate Rate
}

// Columns is how many parts a rate is shown in.
const Columns = 16

// Total counts all.
func (g *Group) Total() int { return g.Open + g.Replayed + g.Discarded }

// Stats is all groups, under way.
type Stats struct {
	groups map[string]*Group
	other  *Group
}

// New counts nothing yet.
func New() *Stats { return &Stats{groups: map[string]*Group{}} }

// Add counts a dead letter, whose status is open, replayed or discarded.
func (s *Stats) Add(l *letters.Letter, status string) {
	g := s.group(l)
	switch status {
	case string(record.Replayed):
		g.Replayed++
	case string(record.Discarded):
		g.Discarded++
	default:
		g.Open++
	}
	if at := l.LastFailedAt; g.FirstSeen.IsZero() || at.Before(g.FirstSeen) {
		g.FirstSeen = at
	}
	if !l.LastFailedAt.Before(g.LastSeen) {
		g.LastSeen, g.Example = l.LastFailedAt, l.ID
	}
	g.rate.Add(l.LastFailedAt)
}

func (s *Stats) group(l *letters.Letter) *Group {
	pattern := l.Pattern()
	fingerprint := l.FingerprintOf(pattern)
	if g, ok := s.groups[fingerprint]; ok {
		return g
	}
	if len(s.groups) >= maxGroups {
		if s.other == nil {
			s.other = &Group{Pattern: "all further kinds of failure; look at fewer at once, with a filter"}
		}
		return s.other
	}
	g := &Group{
		Fingerprint: fingerprint, Stage: l.Stage, Provider: l.Provider(), EventType: l.EventType(), Reason: l.Reason, Pattern: pattern,
	}
	s.groups[fingerprint] = g
	return g
}

// Groups are the kinds of failure: those with most open ones first, then those
// seen last.
func (s *Stats) Groups() []*Group {
	var all []*Group
	for _, g := range s.groups {
		all = append(all, g)
	}
	if s.other != nil {
		all = append(all, s.other)
	}
	slices.SortFunc(all, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(b.Open, a.Open), b.LastSeen.Compare(a.LastSeen), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	from, to := span(all)
	for _, g := range all {
		copy(g.Rate[:], g.rate.Over(from, to, Columns))
	}
	return all
}

func span(groups []*Group) (from, to time.Time) {
	for i, g := range groups {
		if i == 0 || g.FirstSeen.Before(from) {
			from = g.FirstSeen
		}
		if g.LastSeen.After(to) {
			to = g.LastSeen
		}
	}
	return from, to
}
