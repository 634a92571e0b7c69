// SPDX-License-Identifier: Apache-2.0

// Package backlog keeps count of the open dead letters, for metrics and alerts.
// It follows the dead-letter topic and its resolutions and remembers a few bytes
// of each dead letter, up to a bound.
package backlog

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// Group is what open dead letters are counted by. The values are bounded:
// whatever a record says, a stage or reason that is unknown counts as Other.
type Group struct {
	Stage, Reason string
}

// Other is a stage or reason that this version does not know.
const Other = "other"

// Count is the state of one group.
type Count struct {
	Group
	Open int
	// Oldest is when the oldest open one failed for the last time.
	Oldest time.Time
}

// Backlog counts open dead letters. When it is full it forgets those that are
// resolved; when all of them are open, more are not counted, which Skipped
// tells. Listing and replaying do not use it and see everything.
type Backlog struct {
	max int

	mu      sync.Mutex
	entries map[letters.Digest]entry
	// settled are the entries that can be forgotten.
	settled int
	skipped int
	loaded  bool
}

// entry takes some 60 bytes with its place in the map.
type entry struct {
	failedAt int64 // microseconds since 1970
	stage    int8  // in stages, or -1
	reason   int8  // in reasons, or -1
	seen     bool  // its dead letter was read, not only its resolution
	closed   bool
}

func (e entry) settled() bool { return e.seen && e.closed }

var (
	stages  = []record.Stage{record.StageTransform, record.StageSink}
	reasons = codes()
)

func codes() []reason.Code {
	var all []reason.Code
	for _, i := range reason.All() {
		all = append(all, i.Code)
	}
	return all
}

// New is an empty backlog that remembers at most max dead letters, resolved ones
// included.
func New(max int) *Backlog {
	return &Backlog{max: max, entries: map[letters.Digest]entry{}}
}

// reset begins anew: what is read next starts at the topics' beginning.
func (b *Backlog) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.entries)
	b.settled, b.skipped, b.loaded = 0, 0, false
}

// loadedAll says that what was in the topics at the start has been read. Before,
// counts would be of dead letters whose resolutions are still to come.
func (b *Backlog) loadedAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded = true
}

// letter counts a dead letter; a copy of one is the same one.
func (b *Backlog) letter(d *record.DeadLetter) {
	id := letters.DigestOf(d.ID())
	b.mu.Lock()
	defer b.mu.Unlock()
	e, known := b.entries[id]
	if e.seen || !known && !b.room() {
		return
	}
	e.seen, e.failedAt = true, d.LastFailedAt.UnixMicro()
	e.stage = int8(slices.Index(stages, d.Stage))    //nolint:gosec // a handful
	e.reason = int8(slices.Index(reasons, d.Reason)) //nolint:gosec // a handful
	b.put(id, e)
}

// resolution notes what became of a dead letter, which may be read later; nil
// takes it back.
func (b *Backlog) resolution(id string, r *record.Resolution) {
	d := letters.DigestOf(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	e, known := b.entries[d]
	e.closed = r != nil && r.Action != record.Reopened
	if known || e.closed && b.room() {
		b.put(d, e)
	}
}

func (b *Backlog) put(d letters.Digest, e entry) {
	if b.entries[d].settled() {
		b.settled--
	}
	if e.settled() {
		b.settled++
	}
	b.entries[d] = e
}

// room makes room for one more, if there can be any.
func (b *Backlog) room() bool {
	if len(b.entries) < b.max {
		return true
	}
	if b.settled == 0 {
		b.skipped++
		return false
	}
	maps.DeleteFunc(b.entries, func(_ letters.Digest, e entry) bool { return e.settled() })
	b.settled = 0
	return true
}

// Counts are the groups that have open dead letters, or had since the start, in
// a fixed order. It is nil until the topics have been read once. Skipped is how
// many records were not remembered because the backlog is full.
func (b *Backlog) Counts() (counts []Count, skipped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.loaded {
		return nil, 0
	}
	byGroup := map[Group]*Count{}
	for _, e := range b.entries {
		if !e.seen {
			continue
		}
		g := e.group()
		c := byGroup[g]
		if c == nil {
			c = &Count{Group: g}
			byGroup[g] = c
		}
		if at := time.UnixMicro(e.failedAt).UTC(); !e.closed {
			c.Open++
			if c.Oldest.IsZero() || at.Before(c.Oldest) {
				c.Oldest = at
			}
		}
	}
	counts = make([]Count, 0, len(byGroup))
	for _, c := range byGroup {
		counts = append(counts, *c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Reason, b.Reason))
	})
	return counts, b.skipped
}

func (e entry) group() Group {
	g := Group{Other, Other}
	if e.stage >= 0 {
		g.Stage = string(stages[e.stage])
	}
	if e.reason >= 0 {
		g.Reason = string(reasons[e.reason])
	}
	return g
}
