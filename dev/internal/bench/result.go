// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// Result is what one benchmark gave.
type Result struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Baseline string `json:"baseline,omitempty"`
	Subject  string `json:"subject"`
	Machine  string `json:"machine"`
	// Kafka says which one it ran on.
	Kafka  string    `json:"kafka"`
	At     time.Time `json:"at"`
	Rounds int       `json:"rounds"`
	Passes int       `json:"passes"`
	// TurnSeconds is how long each side's turn lasted.
	TurnSeconds float64      `json:"turnSeconds"`
	OK          bool         `json:"ok"`
	Measures    []Measure    `json:"measures"`
	Charts      []plot.Chart `json:"charts,omitempty"`
}

func newResult(r *Run) Result {
	b := r.benchmark
	out := Result{
		Name: b.Name, Title: b.Title, Baseline: b.Baseline, Subject: b.Subject,
		Machine: Machine(), Kafka: kafkaInWords(), At: time.Now().UTC().Truncate(time.Second),
		Rounds: r.Rounds, Passes: r.Passes, TurnSeconds: r.Turn.Seconds(), OK: true,
	}
	for _, m := range r.measures {
		out.Measures = append(out.Measures, *m)
		out.OK = out.OK && m.OK()
	}
	if b.charts != nil {
		out.Charts = b.charts(r)
	}
	return out
}

// how is how often and on what it was measured, in words.
func (r *Result) how() string {
	passes := ""
	if r.Passes > 1 {
		passes = fmt.Sprintf(" in %d passes", r.Passes)
	}
	return fmt.Sprintf("%d rounds of %gs a side%s", r.Rounds, r.TurnSeconds, passes)
}

// Load reads what Save wrote. A file that is not there holds nothing.
func Load(path string) ([]Result, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Result
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s is not what a benchmark wrote, move it away: %w", path, err)
	}
	return all, nil
}

// Save puts the results into a JSON file, and leaves those of other benchmarks
// in it as they are.
func Save(path string, results []Result) error {
	all, err := Load(path)
	if err != nil {
		return err
	}
	for _, r := range results {
		i := slices.IndexFunc(all, func(old Result) bool { return old.Name == r.Name })
		if i < 0 {
			all = append(all, r)
			continue
		}
		all[i] = r
	}
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644) //nolint:gosec // to be read by everybody
}
