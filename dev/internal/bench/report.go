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

// The parts of the document that are written anew lie between these lines.
var (
	reportMarks = marks{"<!-- results: written by `go run ./dev bench report` -->", "<!-- /results -->"}
	kafkaMarks  = marks{"<!-- results on Kafka: written by `go run ./dev bench report` -->", "<!-- /results on Kafka -->"}
)

type marks struct{ begin, end string }

// fill puts something between the marks.
func (m marks) fill(text, between string) (string, error) {
	head, rest, ok := strings.Cut(text, m.begin)
	_, tail, ended := strings.Cut(rest, m.end)
	if !ok || !ended {
		return "", fmt.Errorf("no lines %q and %q for results to go between", m.begin, m.end)
	}
	return head + m.begin + "\n" + between + m.end + tail, nil
}

// Report writes the results into a Markdown document, between marks that it has,
// and their charts into a folder beside it that is named like the document. Those
// of a real Kafka, if there are any, go between marks of their own.
func Report(document string, results, onKafka []Result) error {
	data, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	folder := strings.TrimSuffix(document, filepath.Ext(document))
	text, err := reportMarks.fill(string(data), markdown(filepath.Base(folder), results))
	if err == nil && len(onKafka) > 0 {
		text, err = kafkaMarks.fill(text, ratios(onKafka))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", document, err)
	}
	if err := writeCharts(folder, results); err != nil {
		return err
	}
	return os.WriteFile(document, []byte(text), 0o644) //nolint:gosec // to be read by everybody
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
		fmt.Fprintf(&b, "\n### %s\n\n%s. %s on %s, %s.\n\n", r.Name, sentence(r.Title), sentence(r.how()), r.Machine, r.At.Format(time.DateOnly))
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

// ratios is one table of what compares two sides: with a real Kafka's own needs
// on the same machine, nothing else says anything about another.
func ratios(results []Result) string {
	var b strings.Builder
	b.WriteString("\n| benchmark | | compared | spread | against |\n|---|---|---:|---|---|\n")
	for i := range results {
		r := &results[i]
		for j := range r.Measures {
			if m := &r.Measures[j]; m.By == Ratio {
				row := m.row()
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Name, row.name, row.compared, row.spread, r.Baseline)
			}
		}
	}
	last := &results[len(results)-1]
	fmt.Fprintf(&b, "\n%s on %s, %s.\n\n", sentence(last.how()), last.Machine, last.At.Format(time.DateOnly))
	return b.String()
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
