// SPDX-License-Identifier: Apache-2.0

// Package resolutions reads what became of dead letters.
package resolutions

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Open is the status of a dead letter without a resolution, or whose discard
// was taken back.
const Open = "open"

// maxDiffs bounds the differences of edited payloads that a set holds, in bytes.
// One may be 32 KiB long, and as many as there are dead letters.
const maxDiffs = 4 << 20

// LeftOut stands in a set for the differences beyond maxDiffs; Last has each.
const LeftOut = "… left out, because many were edited; dlq show ID -o json has it\n"

// Set holds the last resolution of every dead letter that has one. A million of
// them take some 50 MB: what those of one run have in common is kept once, and
// of differences between payloads only so many.
type Set struct {
	entries map[letters.Digest]entry
	runs    []record.Resolution
	index   map[run]int32
	// before are what the last resolutions took the place of, the newest first.
	before map[letters.Digest][]entry
	diffs  map[letters.Digest]string
	// identities are those that replays gave.
	identities map[letters.Digest]*record.Identity
	unreadable map[letters.Digest]*Unreadable
	// room is how many bytes of differences still fit.
	room int
}

type entry struct {
	run int32
	at  int64 // microseconds since 1970
}

// run is what the resolutions of one run have in common.
type run struct {
	action                           record.Action
	by, why, replayID, runID, target string
	edited                           bool
	patch                            string
}

// New is an empty set.
func New() *Set { return newSet(maxDiffs) }

func newSet(room int) *Set {
	return &Set{
		entries: map[letters.Digest]entry{}, index: map[run]int32{},
		before: map[letters.Digest][]entry{}, diffs: map[letters.Digest]string{}, room: room,
		identities: map[letters.Digest]*record.Identity{}, unreadable: map[letters.Digest]*Unreadable{},
	}
}

// Get is the last resolution of a dead letter, or nil. What it took the place of
// is in it, without differences.
func (s *Set) Get(l *letters.Letter) *record.Resolution {
	e, ok := s.entries[l.Digest]
	if !ok {
		return nil
	}
	last := s.resolution(l.ID, e)
	last.Identity = s.identities[l.Digest]
	if last.Edit != nil {
		last.Edit.Diff = cmp.Or(s.diffs[l.Digest], LeftOut)
	}
	r := last
	for _, e := range s.before[l.Digest] {
		r.Previous = s.resolution(l.ID, e)
		r = r.Previous
	}
	return last
}

func (s *Set) resolution(id string, e entry) *record.Resolution {
	r := s.runs[e.run]
	r.DeadLetterID, r.At = id, time.UnixMicro(e.at).UTC()
	if r.Edit != nil {
		r.Edit = &record.Edit{Patch: r.Edit.Patch}
	}
	return &r
}

// Status is open, what was done, or that it is not known.
func (s *Set) Status(l *letters.Letter) string {
	if s.unreadable[l.Digest] != nil {
		return StateUnreadable
	}
	e, ok := s.entries[l.Digest]
	if !ok || s.runs[e.run].Action == record.Reopened {
		return Open
	}
	return string(s.runs[e.run].Action)
}

// Put remembers r as the last of its dead letter.
func (s *Set) Put(r *record.Resolution) {
	s.remove(r.DeadLetterID)
	d := letters.DigestOf(r.DeadLetterID)
	s.entries[d] = s.entry(r)
	for p := r.Previous; p != nil && len(s.before[d]) < record.MaxPrevious; p = p.Previous {
		s.before[d] = append(s.before[d], s.entry(p))
	}
	if r.Identity != nil {
		s.identities[d] = r.Identity
	}
	if r.Edit != nil && len(r.Edit.Diff) <= s.room {
		s.diffs[d] = r.Edit.Diff
		s.room -= len(r.Edit.Diff)
	}
}

// entry keeps what r has in common with others once.
func (s *Set) entry(r *record.Resolution) entry {
	k := run{r.Action, r.By, r.Why, r.ReplayID, r.RunID, r.Target, r.Edit != nil, ""}
	common := record.Resolution{Action: r.Action, By: r.By, Why: r.Why, ReplayID: r.ReplayID, RunID: r.RunID, Target: r.Target}
	if r.Edit != nil {
		k.patch = r.Edit.Patch
		common.Edit = &record.Edit{Patch: r.Edit.Patch}
	}
	n, ok := s.index[k]
	if !ok {
		n = int32(len(s.runs)) //nolint:gosec // fewer than there are records
		s.index[k] = n
		s.runs = append(s.runs, common)
	}
	return entry{n, r.At.UnixMicro()}
}

func (s *Set) remove(id string) {
	d := letters.DigestOf(id)
	s.room += len(s.diffs[d])
	delete(s.entries, d)
	delete(s.before, d)
	delete(s.diffs, d)
	delete(s.identities, d)
	delete(s.unreadable, d)
}

// Runs are the replays in the set by their ID, each with the time of its first
// resolution.
func (s *Set) Runs() map[string]time.Time {
	first := map[string]time.Time{}
	for _, e := range s.entries {
		id, at := s.runs[e.run].ReplayID, time.UnixMicro(e.at)
		if before, ok := first[id]; id != "" && (!ok || at.Before(before)) {
			first[id] = at
		}
	}
	return first
}

// Sent is how many dead letters a replay sent whose last resolution that is.
func (s *Set) Sent(replayID string) int {
	n := 0
	for _, e := range s.entries {
		if r := &s.runs[e.run]; r.Action == record.Replayed && r.ReplayID == replayID {
			n++
		}
	}
	return n
}

// Read reads the compacted topic, for whoever looks. The last record of an id
// counts; a tombstone takes a resolution back. A replay that is under way, or died
// in a transaction, is not waited for.
func Read(ctx context.Context, cfg *kafka.Config, log *slog.Logger) (*Set, error) {
	s := New()
	return s, read(ctx, log, cfg, cfg.ReadCommitted, s.apply, s.putUnreadable)
}

// ReadSettled is Read for whoever acts: it reads up to the high watermark and
// waits for what is in hand there. Whoever took the transactional ids over does
// not wait long. It keeps no differences of payloads: nobody acts on them.
func ReadSettled(ctx context.Context, cfg *kafka.Config, log *slog.Logger) (*Set, error) {
	s := newSet(0)
	return s, read(ctx, log, cfg, cfg.ReadToEnd, s.apply, s.putUnreadable)
}

func (s *Set) apply(id string, r *record.Resolution) error {
	if r == nil {
		s.remove(id)
	} else {
		s.Put(r)
	}
	return nil
}

// Last reads the last resolution of one dead letter, with its difference; nil if
// there is none.
func Last(ctx context.Context, cfg *kafka.Config, log *slog.Logger, id string) (*record.Resolution, error) {
	var last *record.Resolution
	err := Each(ctx, cfg, log, func(of string, r *record.Resolution) error {
		if of == id {
			last = r
		}
		return nil
	})
	return last, err
}

// Each gives every committed resolution that the topic still has, in the order of
// its partitions; nil is a tombstone. It leaves out what cannot be read, as there is
// nothing to tell of it.
func Each(ctx context.Context, cfg *kafka.Config, log *slog.Logger, each func(id string, res *record.Resolution) error) error {
	return read(ctx, log, cfg, cfg.ReadCommitted, each, func(*Unreadable) {})
}

type readFunc func(context.Context, string, *slog.Logger, kafka.Partitions, func(*kgo.Record) error) error

// read tells of each record that decides on a dead letter. One that cannot be read
// must not be taken for none: its dead letter could be sent twice.
func read(ctx context.Context, log *slog.Logger, cfg *kafka.Config, topic readFunc, each func(string, *record.Resolution) error, unreadable func(*Unreadable)) error {
	return topic(ctx, "hookstream-dlq", log, kafka.Partitions{cfg.Topics.Resolutions: nil}, func(r *kgo.Record) error {
		res, bad, relevant := Parse(r)
		switch {
		case !relevant:
			return nil
		case bad != nil:
			unreadable(bad)
			return nil
		}
		return each(string(r.Key), res)
	})
}
