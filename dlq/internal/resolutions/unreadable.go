// SPDX-License-Identifier: Apache-2.0

package resolutions

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

// StateUnreadable is the status of a dead letter whose last resolution cannot be read.
// It is not open: it may have been sent.
const StateUnreadable = "unreadable"

// Unreadable is a record that somebody else wrote under the ID of a dead letter. It
// counts until another is written under its key.
type Unreadable struct {
	// ID is the record's key.
	ID string
	// Err is what is wrong with it, and where it is.
	Err error
}

// maxReason bounds what is said of a record that anybody may have written.
const maxReason = 200

// String says which it is and what to do.
func (u *Unreadable) String() string {
	return fmt.Sprintf("unreadable (%.*s). Only dlq writes this topic: find who wrote it and what became of the dead letter, "+
		"then write a record with the key %.300s and a null value, which opens it", maxReason, u.Err, u.ID)
}

// Parse reads a record of the topic. Relevant is false where its key is no ID of a dead
// letter: whatever it holds, it decides on nothing. Otherwise the record is a
// resolution, a tombstone, which is nil, or unreadable.
func Parse(r *kgo.Record) (res *record.Resolution, bad *Unreadable, relevant bool) {
	id := string(r.Key)
	if !letters.IsID(id) {
		return nil, nil, false
	}
	res, err := record.ParseResolution(r)
	if err != nil {
		return nil, &Unreadable{id, err}, true
	}
	return res, nil, true
}

// Unreadable is why the status of a dead letter is not known, or nil.
func (s *Set) Unreadable(l *letters.Letter) *Unreadable { return s.unreadable[l.Digest] }

// FirstUnreadable is one of the records that cannot be read and how many there are.
func (s *Set) FirstUnreadable() (first *Unreadable, n int) {
	for _, u := range s.unreadable {
		if first == nil || u.ID < first.ID {
			first = u
		}
	}
	return first, len(s.unreadable)
}

// putUnreadable notes a record that cannot be read in place of what was known.
func (s *Set) putUnreadable(u *Unreadable) {
	s.remove(u.ID)
	s.unreadable[letters.DigestOf(u.ID)] = u
}
