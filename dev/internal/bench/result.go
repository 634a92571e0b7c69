// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// Result is what one benchmark gave.
type Result struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Baseline string    `json:"baseline"`
	Subject  string    `json:"subject"`
	Machine  string    `json:"machine"`
	At       time.Time `json:"at"`
	Rounds   int       `json:"rounds"`
	// TurnSeconds is how long each side's turn lasted.
	TurnSeconds float64   `json:"turnSeconds"`
	OK          bool      `json:"ok"`
	Measures    []Measure `json:"measures"`
}

func newResult(b Benchmark, o Options, measures []Measure) Result {
	r := Result{
		Name: b.Name, Title: b.Title, Baseline: b.Baseline, Subject: b.Subject,
		Machine: Machine(), At: time.Now().UTC().Truncate(time.Second),
		Rounds: o.Rounds, TurnSeconds: o.Turn.Seconds(), OK: true, Measures: measures,
	}
	for _, m := range measures {
		r.OK = r.OK && m.OK()
	}
	return r
}

// Write prints a table, the comparison first.
func (r *Result) Write(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n%d rounds of %gs a side, in turn, on %s\n\n", r.Name, r.Title, r.Rounds, r.TurnSeconds, r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\tcompared\tspread\tlimit\tmeasure\t%s\t%s\tunit\n", r.Baseline, r.Subject)
	for i := range r.Measures {
		r.Measures[i].write(t)
	}
	return t.Flush()
}

func (m *Measure) write(w io.Writer) {
	compared := m.Compared()
	verdict, limit := "", ""
	if m.Limit != nil {
		verdict, limit = "pass", m.Limit.text(m.By)
		if !m.OK() {
			verdict = "FAIL"
		}
	}
	fmt.Fprintf(w, "%s\t%s\t%s to %s\t%s\t%s\t%s\t%s\t%s\n", verdict,
		m.By.text(median(compared)), m.By.text(slices.Min(compared)), m.By.text(slices.Max(compared)), limit,
		m.Name, number(median(m.Baseline)), number(median(m.Subject)), m.Unit)
}

func (b By) text(v float64) string {
	if b == Difference && v > 0 {
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

// Save puts the results into a JSON file, and leaves those of other benchmarks
// in it as they are.
func Save(path string, results []Result) error {
	var all []Result
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(data, &all); err != nil {
			return fmt.Errorf("%s is not what a benchmark wrote, move it away: %w", path, err)
		}
	}
	for _, r := range results {
		all = slices.DeleteFunc(all, func(old Result) bool { return old.Name == r.Name })
		all = append(all, r)
	}
	if data, err = json.MarshalIndent(all, "", "  "); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // to be read by everybody
}
