// SPDX-License-Identifier: Apache-2.0

package stats

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

var day = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func letter(n int, message string) *letters.Letter {
	return &letters.Letter{DeadLetter: &record.DeadLetter{
		Stage: record.StageSink, Message: message, LastFailedAt: day.Add(time.Duration(n) * time.Minute),
	}, ID: fmt.Sprintf("sink:t/0/%d", n)}
}

func TestGroupsCountWhatIsTheSame(t *testing.T) {
	s := New()
	s.Add(letter(0, "no row 1"), "open")
	s.Add(letter(60, "no row 2"), "discarded")
	s.Add(letter(30, "no row 3"), "replayed")
	s.Add(letter(10, "no column"), "open")
	s.Add(letter(20, "no column"), "open")
	got := s.Groups()
	if len(got) != 2 || got[0].Pattern != "no column" || got[0].Open != 2 || got[0].Total() != 2 {
		t.Fatalf("got %+v", got)
	}
	g := got[1]
	if g.Pattern != "no row #" || g.Open != 1 || g.Replayed != 1 || g.Discarded != 1 || g.Example != "sink:t/0/60" ||
		!g.FirstSeen.Equal(day) || !g.LastSeen.Equal(day.Add(time.Hour)) {
		t.Errorf("got %+v", g)
	}
	if want := [Columns]int{0: 1, 8: 1, 15: 1}; g.Rate != want {
		t.Errorf("rate %v, want %v", g.Rate, want)
	}
}

func TestKindsAreBounded(t *testing.T) {
	s := New()
	name := func(n int) string { // without digits, which a pattern has not
		b := []byte("aaaa")
		for i := range b {
			b[i] += byte(n % 20)
			n /= 20
		}
		return string(b)
	}
	for n := range maxGroups + 5 {
		s.Add(letter(n, name(n)), "open")
	}
	got := s.Groups()
	if len(got) != maxGroups+1 || got[0].Open != 5 || got[0].Fingerprint != "" {
		t.Errorf("%d groups, the first %+v", len(got), got[0])
	}
}

// TestRateCountsEverything in whatever order, from the year 5 to 9987.
func TestRateCountsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(-62e9, 253e9), 1, 50).Draw(t, "seconds")
		var r Rate
		for _, s := range times {
			r.Add(time.Unix(s, 0))
		}
		from, to := time.Unix(slices.Min(times), 0), time.Unix(slices.Max(times), 0)
		sum := 0
		for _, n := range r.Over(from, to, Columns) {
			sum += n
		}
		if sum != len(times) {
			t.Errorf("%d of %d are counted", sum, len(times))
		}
	})
}
