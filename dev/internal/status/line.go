// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Line compares two snapshots, in at most width characters, or in as many as it
// takes where width is 0: totals, the rate of accepted webhooks, how long they took,
// and what is wrong. Where there is little room, what matters least is left out.
func Line(before, now *Snapshot, width int) string {
	fields, why := fieldsOf(before, now), now.Trouble.Why
	if why != "" {
		why = ": " + why
	}
	if width == 0 {
		return join(fields, 0) + why
	}
	room := min(utf8.RuneCountInString(why), leastWhy)
	for level := range leastImportant {
		if line := join(fields, level); utf8.RuneCountInString(line)+room <= width {
			return cut(line+why, width)
		}
	}
	if now.Trouble.What == "" {
		return cut(join(fields, leastImportant-1), width)
	}
	return cut(join(fields, leastImportant)+why, width)
}

// leastWhy is as much of a reason as something else is left out for.
const leastWhy = 40

// field is a part of the line.
type field struct {
	long, short string
	// shortAt and goneAt are the levels from which it is short, and left out.
	shortAt, goneAt int
}

// leastImportant is the last level, of which only trouble is left.
const leastImportant = 7

const always = leastImportant + 1

func fieldsOf(before, now *Snapshot) []field {
	seconds := now.At.Sub(before.At).Seconds()
	rate := (now.Accepted - before.Accepted) / math.Max(seconds, 0.001)
	fields := []field{
		{fmt.Sprintf("accepted %s (%.0f/s)", count(now.Accepted), rate), "accepted " + count(now.Accepted), 6, 7},
		{"refused " + count(now.Refused), "", always, 3},
		{"duplicates " + count(now.Duplicates), "", always, 4},
		{"rows " + count(now.Rows), "", always, 7},
		{"dead letters " + count(now.DeadLetters), "dead " + count(now.DeadLetters), 5, 6},
		{"lag " + now.Lag.String(), "", always, 7},
	}
	if now.Latency.P99 > 0 {
		quantiles := fmt.Sprintf("p50 %s p99 %s", duration(now.Latency.P50), duration(now.Latency.P99))
		fields = append(fields, field{"request to row " + quantiles, quantiles, 1, 2})
	}
	if now.Trouble.What != "" {
		fields = append(fields, field{now.Trouble.What, "", always, always})
	}
	return fields
}

func join(fields []field, level int) string {
	var parts []string
	for _, f := range fields {
		switch {
		case level >= f.goneAt:
		case level >= f.shortAt:
			parts = append(parts, f.short)
		default:
			parts = append(parts, f.long)
		}
	}
	return strings.Join(parts, "  ")
}

func cut(line string, width int) string {
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return string(runes[:max(0, width-1)]) + "…"
}

// count groups thousands.
func count(n float64) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// String is what waits for both, and at least what is known.
func (l Lag) String() string {
	switch {
	case l.Transform < 0 && l.Sink < 0:
		return "unknown"
	case l.Transform < 0 || l.Sink < 0:
		return count(float64(max(l.Transform, l.Sink))) + "+unknown"
	}
	return count(float64(l.Transform + l.Sink))
}

func duration(d time.Duration) string {
	switch {
	case d >= 100*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}
