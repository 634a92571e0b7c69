// SPDX-License-Identifier: Apache-2.0

package status

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func snapshots() (before, now *Snapshot) {
	at := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	return &Snapshot{At: at, Accepted: 12_000}, &Snapshot{
		At: at.Add(5 * time.Second), Accepted: 12_345, Refused: 48, Duplicates: 3_409, Rows: 11_143, DeadLetters: 127,
		Latency: Latency{4 * time.Millisecond, 32_400 * time.Millisecond},
	}
}

// TestLineFitsAnyWidth: one that wraps leaves what is above it behind.
func TestLineFitsAnyWidth(t *testing.T) {
	before, now := snapshots()
	for _, trouble := range []Trouble{{}, {What: "sink: waiting for Postgres 12s, 340 records"}, {"transform: holding 12s, 340 records", strings.Repeat("most événements of stripe x ", 9)}} {
		now.Trouble = trouble
		for width := 1; width < 300; width++ {
			if line := Line(before, now, width); utf8.RuneCountInString(line) > width || strings.ContainsAny(line, "\n\r") {
				t.Fatalf("%d characters wide: %q", width, line)
			}
		}
	}
}

func TestLineLeavesOutWhatMattersLeast(t *testing.T) {
	const full = "accepted 12,345 (69/s)  refused 48  duplicates 3,409  rows 11,143  dead letters 127  lag 0"
	before, now := snapshots()
	for width, want := range map[int]string{
		0:   full + "  request to row p50 4 ms p99 32.4 s",
		130: full + "  request to row p50 4 ms p99 32.4 s",
		120: full + "  p50 4 ms p99 32.4 s",
		100: full,
		80:  "accepted 12,345 (69/s)  duplicates 3,409  rows 11,143  dead letters 127  lag 0",
		40:  "accepted 12,345  rows 11,143  lag 0",
		10:  "accepted …",
	} {
		if got := Line(before, now, width); got != want {
			t.Errorf("%d:\n%s, want\n%s", width, got, want)
		}
	}
	now.Trouble = Trouble{What: "sink: waiting for Postgres 12s, 340 records"}
	if got := Line(before, now, 79); !strings.HasSuffix(got, now.Trouble.What) {
		t.Errorf("trouble is left out: %q", got)
	}
	now.Trouble = Trouble{"transform: holding 12s, 340 records", "most events of stripe payment_intent.succeeded fail with mapping_failed, first at hookstream.raw/3/307"}
	if got, want := Line(before, now, 79), "transform: holding 12s, 340 records: most events of stripe payment_intent.succ…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Line(before, now, 0); !strings.HasPrefix(got, full) || !strings.HasSuffix(got, now.Trouble.What+": "+now.Trouble.Why) {
		t.Errorf("got %q", got)
	}
}

func TestUnknownLagIsShownAsUnknown(t *testing.T) {
	for l, want := range map[Lag]string{{340, 2}: "342", {0, 0}: "0", {-1, 7}: "7+unknown", {7, -1}: "7+unknown", {-1, -1}: "unknown"} {
		if got := l.String(); got != want {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		4 * time.Millisecond: "4 ms", 999 * time.Millisecond: "999 ms", 1500 * time.Millisecond: "1.5 s", 90 * time.Second: "90.0 s", 125 * time.Second: "2m5s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
