// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/stats"
	"github.com/hookstream/hookstream/stage/terminal"
)

// Summary is what dlq stats -o json writes.
type Summary struct {
	Open      int            `json:"open"`
	Replayed  int            `json:"replayed"`
	Discarded int            `json:"discarded"`
	Kinds     int            `json:"kinds"`
	Groups    []*stats.Group `json:"groups"`
}

// Summarize adds the groups up.
func Summarize(groups []*stats.Group) Summary {
	s := Summary{Kinds: len(groups), Groups: append([]*stats.Group{}, groups...)}
	for _, g := range groups {
		s.Open += g.Open
		s.Replayed += g.Replayed
		s.Discarded += g.Discarded
	}
	return s
}

// Stats writes kinds of failure for 80 columns: what it is, how many, and since
// when.
func Stats(w io.Writer, groups []*stats.Group, limit int) error {
	var b bytes.Buffer
	for i, g := range groups {
		if limit > 0 && i == limit {
			break
		}
		fmt.Fprintf(&b, "%s  %s open, %s replayed, %s discarded\n", orDash(g.Fingerprint), Number(g.Open), Number(g.Replayed), Number(g.Discarded))
		if g.Fingerprint != "" {
			fmt.Fprintf(&b, "  %s: %s %s, %s\n", terminal.Clean(string(g.Stage)), orDash(g.Provider), orDash(g.EventType), orDash(string(g.Reason)))
		}
		fmt.Fprintf(&b, "  %s\n", wrap(orDash(cut(g.Pattern)), 78, "  "))
		fmt.Fprintf(&b, "  %s  %s to %s\n", sparkline(g.Rate[:]), second(g.FirstSeen), untilSecond(g.FirstSeen, g.LastSeen))
		fmt.Fprintf(&b, "  for example %s\n", terminal.Clean(g.Example))
	}
	s := Summarize(groups)
	if s.Kinds > 0 {
		fmt.Fprintf(&b, "%s open, %s replayed, %s discarded, of %s\n", Number(s.Open), Number(s.Replayed), Number(s.Discarded), kinds(s.Kinds))
	}
	if limit > 0 && s.Kinds > limit {
		fmt.Fprintf(&b, "shown are the %d with most open ones; --limit 0 shows all\n", limit)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// longestPattern is what is shown of a message.
const longestPattern = 300

func cut(s string) string {
	if len(s) <= longestPattern {
		return s
	}
	return strings.ToValidUTF8(s[:longestPattern], "") + "…"
}

func kinds(n int) string {
	if n == 1 {
		return "1 kind"
	}
	return Number(n) + " kinds"
}

// untilSecond leaves out the day where it is the same.
func untilSecond(from, to time.Time) string {
	if from.UTC().Format(time.DateOnly) == to.UTC().Format(time.DateOnly) {
		return to.UTC().Format(time.TimeOnly) + " UTC"
	}
	return second(to) + " UTC"
}

// bars are the heights of a sparkline; nothing is a space's width of a dot.
var bars = []rune("·▁▂▃▄▅▆▇█")

// sparkline draws counts, the largest in full.
func sparkline(counts []int) string {
	top := slices.Max(counts)
	line := make([]rune, len(counts))
	for i, n := range counts {
		line[i] = bars[0]
		if n > 0 {
			line[i] = bars[1+(len(bars)-2)*n/top]
		}
	}
	return string(line)
}
