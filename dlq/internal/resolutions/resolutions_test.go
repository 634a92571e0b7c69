// SPDX-License-Identifier: Apache-2.0

package resolutions

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

var at = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func letter(id string) *letters.Letter { return &letters.Letter{ID: id, Digest: letters.DigestOf(id)} }

func edited(id string, diff int) *record.Resolution {
	return &record.Resolution{
		DeadLetterID: id, Action: record.Replayed, By: "ann", At: at, ReplayID: "r",
		Edit: &record.Edit{Patch: ".a = 1", Diff: strings.Repeat("x", diff)},
	}
}

// TestDifferencesAreBounded, and a set says which it left out.
func TestDifferencesAreBounded(t *testing.T) {
	s := New()
	const n, size = 300, 32 << 10
	for i := range n {
		s.Put(edited(fmt.Sprint(i), size))
	}
	held, left := 0, 0
	for i := range n {
		switch r := s.Get(letter(fmt.Sprint(i))); {
		case r.Edit.Patch != ".a = 1" || r.ReplayID != "r":
			t.Fatalf("%d is %+v", i, r)
		case r.Edit.Diff == LeftOut:
			left++
		default:
			held += len(r.Edit.Diff)
		}
	}
	if held > maxDiffs || held == 0 || left == 0 {
		t.Errorf("holds %d bytes and left %d out", held, left)
	}
	for i := range n {
		s.remove(fmt.Sprint(i))
	}
	if s.room != maxDiffs {
		t.Errorf("there is room for %d bytes after all were removed", s.room)
	}
}

// TestWhatWasBeforeIsKept, up to a bound, and is a part of what comes after it.
func TestWhatWasBeforeIsKept(t *testing.T) {
	s := New()
	for i := range 2 * record.MaxPrevious {
		r := &record.Resolution{DeadLetterID: "a", Action: record.Discarded, By: fmt.Sprint(i), Why: "noise", RunID: fmt.Sprint("run", i), At: at.Add(time.Duration(i) * time.Hour)}
		r.Replaces(s.Get(letter("a")))
		s.Put(r)
	}
	n := 2*record.MaxPrevious - 1
	for r := s.Get(letter("a")); r != nil; r = r.Previous {
		if r.By != fmt.Sprint(n) || r.RunID != fmt.Sprint("run", n) || r.DeadLetterID != "a" || !r.At.Equal(at.Add(time.Duration(n)*time.Hour)) {
			t.Errorf("the %d. is %+v", n, r)
		}
		n--
	}
	if n != record.MaxPrevious-2 {
		t.Errorf("it goes back to the %d.", n+1)
	}
}
