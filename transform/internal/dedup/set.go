// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"slices"
	"time"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

// bucketsPerWindow is into how many buckets a window is divided. A bucket
// expires at once, so an entry lives for the window and up to a sixth more.
const bucketsPerWindow = 6

// set remembers the events of one raw partition. Which entries it holds depends
// only on their times and the clock, not on when they were added, so that a
// restored set equals the one that was lost.
type set struct {
	window  time.Duration
	buckets []bucket
	size    int
}

// bucket holds the entries of one span of time.
type bucket struct {
	number int64 // the span's start, in bucket widths since the epoch
	marks  *table
}

func newSet(window time.Duration) *set { return &set{window: window} }

func (s *set) width() time.Duration { return s.window / bucketsPerWindow }

func (s *set) number(at time.Time) int64 { return at.UnixMilli() / s.width().Milliseconds() }

// expired reports whether every entry that a bucket can hold has outlived the
// window.
func (s *set) expired(number int64, now time.Time) bool {
	end := time.UnixMilli((number + 1) * s.width().Milliseconds())
	return !now.Before(end.Add(s.window))
}

// expire drops the buckets that are over.
func (s *set) expire(now time.Time) {
	alive := s.buckets[:0]
	for _, b := range s.buckets {
		if s.expired(b.number, now) {
			s.size -= b.marks.len()
			continue
		}
		alive = append(alive, b)
	}
	clear(s.buckets[len(alive):])
	s.buckets = alive
}

// add remembers entries that were accepted at a time. Those that have expired
// by now are left out.
func (s *set) add(at, now time.Time, entries []record.DedupEntry) {
	n := s.number(at)
	if s.expired(n, now) {
		return
	}
	marks := s.bucket(n)
	for next := range slices.Chunk(entries, fetchedAhead) {
		marks.fetch(next)
		for i := range next {
			if marks.put(next[i].Fingerprint, next[i].Mark) {
				s.size++
			}
		}
	}
}

func (s *set) bucket(number int64) *table {
	for _, b := range s.buckets {
		if b.number == number {
			return b.marks
		}
	}
	marks := &table{}
	s.buckets = append(s.buckets, bucket{number, marks})
	return marks
}

// lookup finds the mark that an event was accepted with.
func (s *set) lookup(f identity.Fingerprint) (identity.Mark, bool) {
	for i := len(s.buckets) - 1; i >= 0; i-- {
		if m, ok := s.buckets[i].marks.get(f); ok {
			return m, true
		}
	}
	return identity.Mark{}, false
}
