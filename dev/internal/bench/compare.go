// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Comparison is of one measure in two runs.
type Comparison struct {
	Benchmark string `json:"benchmark"`
	Measure   string `json:"measure"`
	Unit      string `json:"unit"`
	By        By     `json:"by"`
	// Orientation is a figure that says as much about the machine as about the
	// program: it stands for itself and has no goal.
	Orientation bool   `json:"orientation"`
	Old         Spread `json:"old"`
	New         Spread `json:"new"`
	// Agree says whether each median lies within the other's spread.
	Agree bool `json:"agree"`
}

// Spread is the median of some rounds, with the lowest and the highest.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func (m *Measure) spread() Spread {
	rounds := m.Compared()
	return Spread{Median: median(rounds), Low: slices.Min(rounds), High: slices.Max(rounds)}
}

// sameWithin is a share by which medians may differ and be the same: a spread can
// be narrower than anyone would act upon.
const sameWithin = 0.01

func (s Spread) agrees(other Spread) bool {
	if math.Abs(s.Median-other.Median) <= sameWithin*max(math.Abs(s.Median), math.Abs(other.Median)) {
		return true
	}
	return s.Low <= other.Median && other.Median <= s.High && other.Low <= s.Median && s.Median <= other.High
}

// Compare compares the measures that two runs have both. Alone are the names of
// those that one of them lacks.
func Compare(before, after []Result) (both []Comparison, alone []string) {
	was, order := byName(before)
	is, added := byName(after)
	for _, name := range order {
		o, n := was[name], is[name]
		if n.Measure == nil {
			alone = append(alone, "only in the first: "+name)
			continue
		}
		old, now := o.spread(), n.spread()
		both = append(both, Comparison{
			Benchmark: n.benchmark, Measure: n.Name, Unit: n.Unit, By: n.By, Orientation: n.By == Absolute && n.Limit == nil,
			Old: old, New: now, Agree: old.agrees(now),
		})
	}
	for _, name := range added {
		if was[name].Measure == nil {
			alone = append(alone, "only in the second: "+name)
		}
	}
	return both, alone
}

// named is a measure of a benchmark.
type named struct {
	*Measure
	benchmark string
}

// byName are the measures that have a value, and their names in order.
func byName(results []Result) (measures map[string]named, order []string) {
	measures = map[string]named{}
	for i := range results {
		for j := range results[i].Measures {
			m := &results[i].Measures[j]
			if len(m.Subject) == 0 {
				continue
			}
			name := strings.TrimRight(results[i].Name+": "+m.Name+" "+m.Unit, " ")
			measures[name] = named{m, results[i].Name}
			order = append(order, name)
		}
	}
	return measures, order
}

// Agree reports whether all agree that are not for orientation.
func Agree(list []Comparison) bool {
	return !slices.ContainsFunc(list, func(c Comparison) bool { return !c.Orientation && !c.Agree })
}

// WriteComparison prints two tables: what the benchmarks are for, and what is for
// orientation. No line is longer than 120 columns.
func WriteComparison(w io.Writer, list []Comparison, alone []string) error {
	var b strings.Builder
	for _, part := range []struct {
		title       string
		orientation bool
	}{{"ratios, differences and goals", false}, {"absolute figures, for orientation", true}} {
		agree, all := 0, 0
		fmt.Fprintf(&b, "\n%s\n%-8s %9s %-19s %9s %-19s %-11s %s\n", part.title, "", "old", "spread", "new", "spread", "", "measure")
		for _, c := range list {
			if c.Orientation != part.orientation {
				continue
			}
			all++
			if c.Agree {
				agree++
			}
			b.WriteString(c.line())
		}
		fmt.Fprintf(&b, "%d of %d agree.\n", agree, all)
	}
	for _, name := range alone {
		fmt.Fprintf(&b, "%s\n", name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Comparison) line() string {
	verdict := "differs"
	if c.Agree {
		verdict = "agrees"
	}
	text := func(s Spread) (median, spread string) {
		return c.By.text(s.Median), c.By.text(s.Low) + " to " + c.By.text(s.High)
	}
	old, oldSpread := text(c.Old)
	now, newSpread := text(c.New)
	line := fmt.Sprintf("%-8s %9s %-19s %9s %-19s %-11s %s", verdict, old, oldSpread, now, newSpread, clip(c.Unit, 11), clip(c.Benchmark+": "+c.Measure, 46))
	return strings.TrimRight(line, " ") + "\n"
}
