// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// row is a measure in words, for tables of text and of Markdown.
type row struct {
	verdict, compared, spread, goal, name, baseline, subject, unit string
}

// The verdicts of a measure with a goal.
const (
	reached = "ok"
	missed  = "MISS"
)

func (m *Measure) row() row {
	compared := m.Compared()
	r := row{
		compared: m.By.text(median(compared)), name: m.Name, unit: m.Unit,
		baseline: "-", subject: number(median(m.Subject)),
	}
	if len(m.Baseline) > 0 {
		r.baseline = number(median(m.Baseline))
	}
	r.spread = "once"
	if len(compared) > 1 {
		r.spread = m.By.text(slices.Min(compared)) + " to " + m.By.text(slices.Max(compared))
	}
	if m.Limit != nil {
		r.verdict, r.goal = reached, m.Limit.text(m.By)
		if !m.OK() {
			r.verdict = missed
		}
	}
	return r
}

func (b By) text(v float64) string {
	switch {
	case b == Ratio:
		return number(v) + "×"
	case b == Difference && v > 0:
		return "+" + number(v)
	}
	return number(v)
}

func (l *Limit) text(by By) string {
	if l.Most {
		return "≤ " + by.text(l.Bound)
	}
	return "≥ " + by.text(l.Bound)
}

// WriteTable prints one table of all results, what compares first. No line is
// longer than 110 columns.
func WriteTable(w io.Writer, results []Result) error {
	var b strings.Builder
	missedGoals, goals := 0, 0
	for i := range results {
		r := &results[i]
		against := "goal"
		if r.Baseline != "" {
			against = r.Baseline
		}
		fmt.Fprintf(&b, "\n%s: %s; %s\n", r.Name, r.Title, r.how())
		b.WriteString(tableLine(row{
			compared: "compared", spread: "spread", goal: "goal", name: "", baseline: against, subject: r.Subject, unit: "unit",
		}))
		for j := range r.Measures {
			m := &r.Measures[j]
			b.WriteString(tableLine(m.row()))
			if m.Limit != nil {
				goals++
				if !m.OK() {
					missedGoals++
				}
			}
		}
	}
	fmt.Fprintf(&b, "\n%d of %d goals reached.\nMeasured on %s, %s.\n", goals-missedGoals, goals, Machine(), kafkaInWords())
	_, err := io.WriteString(w, b.String())
	return err
}

func tableLine(r row) string {
	line := fmt.Sprintf("%-4s %9s %-17s %-9s %-35s %9s %9s %s", r.verdict, r.compared, r.spread, r.goal,
		clip(r.name, 35), clip(r.baseline, 9), clip(r.subject, 9), clip(r.unit, 11))
	return strings.TrimRight(line, " ") + "\n"
}

// clip shortens what is too long for its column.
func clip(s string, n int) string {
	if letters := []rune(s); len(letters) > n {
		return string(letters[:n-1]) + "…"
	}
	return s
}
