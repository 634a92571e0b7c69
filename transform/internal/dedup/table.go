// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"math/rand/v2"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

// table maps fingerprints to marks. It is one flat array in the order of the
// fingerprints' ranks with room in between: the rank says where in the array an
// entry belongs, so lookups touch one place, and growing is a copy from front to
// back. An entry takes 23 to 28 bytes, the garbage collector has nothing to look
// at, and a map would take 40.
type table struct {
	slots []slot
	// homes is how many slots an entry can belong to; the spill behind them
	// takes what is pushed over the end.
	homes, spill uint64
	n            int
	// The fingerprint of zeros marks an empty slot, so it has a place of its
	// own.
	zero      identity.Mark
	zeroThere bool
	// fetched is of no meaning; it keeps the reads of fetch from being left out.
	fetched byte
}

// slot is a fingerprint and its mark.
type slot [len(identity.Fingerprint{}) + len(identity.Mark{})]byte

const (
	// A table is grown when it is full to the share fullest, and is then full
	// to the share emptiest. Beyond nine tenths, runs of full slots become long.
	fullest, emptiest  = 0.88, 0.72
	minHomes, minSpill = 16, 16
)

// scramble makes a fingerprint's rank: multiplying by an odd number that nobody
// outside knows keeps senders, who choose their ids, from choosing where in the
// table they go.
var scramble = rand.Uint64() | 1 //nolint:gosec // senders do not see its output

// place is what orders entries: the scrambled first half of the fingerprint,
// then the second half.
type place struct{ rank, low uint64 }

func placeOf(fingerprint []byte) place {
	return place{binary.BigEndian.Uint64(fingerprint) * scramble, binary.BigEndian.Uint64(fingerprint[8:])}
}

func (s *slot) mark() identity.Mark { return identity.Mark(s[len(identity.Fingerprint{}):]) }

// empty is the place of an empty slot, because zero is no entry's fingerprint.
var empty place

func (t *table) home(p place) int {
	home, _ := bits.Mul64(p.rank, t.homes)
	return int(home) //nolint:gosec // below homes, which is a slice's length
}

// find returns the index of the first slot at or behind the home of p that is
// empty or not below p, and whether p is there.
func (t *table) find(p place) (at int, found bool) {
	for at = t.home(p); at < len(t.slots); at++ {
		s := placeOf(t.slots[at][:])
		if s == p {
			return at, true
		}
		if s == empty || s.rank > p.rank || s.rank == p.rank && s.low > p.low {
			return at, false
		}
	}
	return at, false
}

// get returns the mark of a fingerprint.
func (t *table) get(f identity.Fingerprint) (identity.Mark, bool) {
	p := placeOf(f[:])
	if p == empty {
		return t.zero, t.zeroThere
	}
	at, found := t.find(p)
	if !found {
		return identity.Mark{}, false
	}
	return t.slots[at].mark(), true
}

// put sets the mark of a fingerprint and reports whether that is new.
func (t *table) put(f identity.Fingerprint, m identity.Mark) bool {
	p := placeOf(f[:])
	if p == empty {
		isNew := !t.zeroThere
		t.zero, t.zeroThere = m, true
		return isNew
	}
	if float64(t.n+1) > fullest*float64(t.homes) {
		t.grow()
	}
	var s slot
	copy(s[copy(s[:], f[:]):], m[:])
	at, found := t.find(p)
	if found {
		t.slots[at] = s
		return false
	}
	t.insert(at, s)
	t.n++
	return true
}

// fetchedAhead is how many entries have their places fetched together.
const fetchedAhead = 32

// fetch reads the homes of entries that are about to be put. A large table is in no
// cache, and most of a put is waiting for memory; reads that do not depend on each
// other wait together.
func (t *table) fetch(entries []record.DedupEntry) {
	if t.homes == 0 {
		return
	}
	for i := range entries {
		t.fetched ^= t.slots[t.home(placeOf(entries[i].Fingerprint[:]))][0]
	}
}

// insert puts s at its place and pushes what is there and behind it up to the
// next empty slot.
func (t *table) insert(at int, s slot) {
	end := at
	for end < len(t.slots) && placeOf(t.slots[end][:]) != empty {
		end++
	}
	if end == len(t.slots) {
		more := max(minSpill, t.spill)
		t.slots = append(t.slots, make([]slot, more)...)
		t.spill += more
	}
	copy(t.slots[at+1:end+1], t.slots[at:end])
	t.slots[at] = s
}

// grow moves all entries into a larger array. They stay in order, so each goes
// to its new home or right behind the one before it.
func (t *table) grow() {
	old := t.slots
	t.homes = max(minHomes, uint64(float64(t.n+1)/emptiest))
	t.spill = minSpill
	t.slots = make([]slot, t.homes+t.spill)
	next := 0
	for i := range old {
		p := placeOf(old[i][:])
		if p == empty {
			continue
		}
		next = max(next, t.home(p))
		if next == len(t.slots) {
			t.slots = append(t.slots, make([]slot, t.spill)...)
			t.spill *= 2
		}
		t.slots[next] = old[i]
		next++
	}
}

// len is the number of entries.
func (t *table) len() int {
	if t.zeroThere {
		return t.n + 1
	}
	return t.n
}

// bytes is the memory that the entries take.
func (t *table) bytes() int { return len(t.slots) * len(slot{}) }

// all yields the entries.
func (t *table) all() iter.Seq2[identity.Fingerprint, identity.Mark] {
	return func(yield func(identity.Fingerprint, identity.Mark) bool) {
		if t.zeroThere && !yield(identity.Fingerprint{}, t.zero) {
			return
		}
		for i := range t.slots {
			s := &t.slots[i]
			if placeOf(s[:]) != empty && !yield(identity.Fingerprint(s[:len(identity.Fingerprint{})]), s.mark()) {
				return
			}
		}
	}
}
