// SPDX-License-Identifier: Apache-2.0

// Package resolutions reads what became of dead letters.
package resolutions

import (
	"context"
	"fmt"
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

// Set holds the last resolution of every dead letter that has one. A million of
// them take some 50 MB: what those of one run have in common is kept once.
type Set struct {
	entries map[letters.Digest]entry
	runs    []record.Resolution
	index   map[run]int32
	// whole are the few that say more: edits, and what was taken back.
	whole map[letters.Digest]*record.Resolution
}

type entry struct {
	run int32
	at  int64 // microseconds since 1970
}

// run is what the resolutions of one run have in common.
type run struct {
	action                    record.Action
	by, why, replayID, target string
}

// New is an empty set.
func New() *Set {
	return &Set{entries: map[letters.Digest]entry{}, index: map[run]int32{}, whole: map[letters.Digest]*record.Resolution{}}
}

// Get is the last resolution of a dead letter, or nil.
func (s *Set) Get(l *letters.Letter) *record.Resolution {
	if r := s.whole[l.Digest]; r != nil {
		return r
	}
	e, ok := s.entries[l.Digest]
	if !ok {
		return nil
	}
	r := s.runs[e.run]
	r.DeadLetterID, r.At = l.ID, time.UnixMicro(e.at).UTC()
	return &r
}

// Status is open, or what was done.
func (s *Set) Status(l *letters.Letter) string {
	e, ok := s.entries[l.Digest]
	if !ok || s.runs[e.run].Action == record.Reopened {
		return Open
	}
	return string(s.runs[e.run].Action)
}

// Put remembers r as the last of its dead letter.
func (s *Set) Put(r *record.Resolution) {
	d := letters.DigestOf(r.DeadLetterID)
	k := run{r.Action, r.By, r.Why, r.ReplayID, r.Target}
	n, ok := s.index[k]
	if !ok {
		n = int32(len(s.runs)) //nolint:gosec // fewer than there are records
		s.index[k] = n
		s.runs = append(s.runs, record.Resolution{Action: r.Action, By: r.By, Why: r.Why, ReplayID: r.ReplayID, Target: r.Target})
	}
	s.entries[d] = entry{n, r.At.UnixMicro()}
	delete(s.whole, d)
	if r.Edit != nil || r.Previous != nil {
		s.whole[d] = r
	}
}

func (s *Set) remove(id string) {
	d := letters.DigestOf(id)
	delete(s.entries, d)
	delete(s.whole, d)
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

// Read reads the compacted topic, for whoever looks. The last record of an id
// counts; a tombstone takes a resolution back. A replay that is under way, or died
// in a transaction, is not waited for.
func Read(ctx context.Context, cfg *kafka.Config, log *slog.Logger) (*Set, error) {
	s := New()
	return s, Each(ctx, cfg, log, s.apply)
}

// ReadSettled is Read for whoever acts: it reads up to the high watermark and
// waits for what is in hand there. Whoever took the transactional ids over does
// not wait long.
func ReadSettled(ctx context.Context, cfg *kafka.Config, log *slog.Logger) (*Set, error) {
	s := New()
	return s, read(ctx, log, cfg, cfg.ReadToEnd, s.apply)
}

func (s *Set) apply(id string, r *record.Resolution) error {
	if r == nil {
		s.remove(id)
	} else {
		s.Put(r)
	}
	return nil
}

// Each gives every committed resolution that the topic still has, in the order of
// its partitions; nil is a tombstone.
//
// A record that cannot be read is an error: to take its dead letter for open
// could send it twice.
func Each(ctx context.Context, cfg *kafka.Config, log *slog.Logger, each func(id string, res *record.Resolution) error) error {
	return read(ctx, log, cfg, cfg.ReadCommitted, each)
}

type readFunc func(context.Context, string, *slog.Logger, kafka.Partitions, func(*kgo.Record) error) error

func read(ctx context.Context, log *slog.Logger, cfg *kafka.Config, topic readFunc, each func(string, *record.Resolution) error) error {
	return topic(ctx, "hookstream-dlq", log, kafka.Partitions{cfg.Topics.Resolutions: nil}, func(r *kgo.Record) error {
		res, err := record.ParseResolution(r)
		if err != nil {
			return fmt.Errorf("%w: only dlq writes this topic; find who wrote this record, then write a record with its key and a null value", err)
		}
		return each(string(r.Key), res)
	})
}
