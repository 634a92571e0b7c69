// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The part of the document that is written anew lies between these lines.
const (
	reportBegin = "<!-- results: written by `go run ./dev bench report` -->"
	reportEnd   = "<!-- /results -->"
)

// Report writes the results into a Markdown document, between two marks that it
// has, and their charts into a folder beside it that is named like the document.
func Report(document string, results []Result) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), reportBegin)
	_, tail, ended := strings.Cut(rest, reportEnd)
	if !ok || !ended {
		return fmt.Errorf("%s has no lines %q and %q for the results to go between", document, reportBegin, reportEnd)
	}
	folder := strings.TrimSuffix(document, filepath.Ext(document))
	if err := writeCharts(folder, results); err != nil {
		return err
	}
	out := head + reportBegin + "\n" + markdown(filepath.Base(folder), results) + reportEnd + tail
	return os.WriteFile(document, []byte(out), 0o644) //nolint:gosec // to be read by everybody
}

func writeCharts(folder string, results []Result) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // to be read by everybody
		return err
	}
	var errs []error
	for i := range results {
		for _, c := range results[i].Charts {
			errs = append(errs, os.WriteFile(filepath.Join(folder, c.Name+".svg"), c.SVG(), 0o644)) //nolint:gosec // as above
		}
	}
	return errors.Join(errs...)
}

func markdown(folder string, results []Result) string {
	var b strings.Builder
	b.WriteString("\n")
	writeGoals(&b, results)
	for i := range results {
		r := &results[i]
		fmt.Fprintf(&b, "\n### %s\n\n%s. %d rounds of %gs a side on %s, %s.\n\n", r.Name, sentence(r.Title), r.Rounds, r.TurnSeconds, r.Machine, r.At.Format(time.DateOnly))
		fmt.Fprintf(&b, "| compared | spread | goal | | %s | %s | unit |\n|---:|---|---|---|---:|---:|---|\n", cmp.Or(r.Baseline, "-"), r.Subject)
		for j := range r.Measures {
			m := r.Measures[j].row()
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", m.compared, m.spread, m.goalAndVerdict(), m.name, m.baseline, m.subject, m.unit)
		}
		for _, c := range r.Charts {
			fmt.Fprintf(&b, "\n![%s](%s/%s.svg)\n", c.Title, folder, c.Name)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// writeGoals lists what has a goal: most readers want no more.
func writeGoals(b *strings.Builder, results []Result) {
	b.WriteString("### Goals\n\n| benchmark | | measured | goal |\n|---|---|---:|---|\n")
	for i := range results {
		for j := range results[i].Measures {
			if m := &results[i].Measures[j]; m.Limit != nil {
				row := m.row()
				unit := ""
				if m.By != Ratio {
					unit = " " + m.Unit
				}
				fmt.Fprintf(b, "| %s | %s | %s%s | %s |\n", results[i].Name, row.name, row.compared, unit, row.goalAndVerdict())
			}
		}
	}
}

func (r row) goalAndVerdict() string {
	switch r.verdict {
	case reached:
		return r.goal + " reached"
	case missed:
		return r.goal + " **missed**"
	}
	return ""
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
