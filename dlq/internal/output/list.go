// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/stage/terminal"
)

// List writes dead letters one after the other.
type List interface {
	Write(l *Letter) error
}

// NewList makes the list of a format: table (a line a dead letter where the terminal is
// wide, and otherwise two, for 80 columns), tsv (one line, columns separated by tabs), json (one object a line)
// or yaml (one document each).
func NewList(w io.Writer, format string, color terminal.Painter, columns int) List {
	switch format {
	case "json":
		return jsonList{w}
	case "yaml":
		return yamlList{w}
	case "tsv":
		return &tsvList{w: w}
	}
	if columns >= wideColumns {
		return &wideList{w: w, color: color}
	}
	return &tableList{w: w, color: color}
}

type jsonList struct{ w io.Writer }

func (j jsonList) Write(l *Letter) error { return JSON(j.w, l, false) }

type yamlList struct{ w io.Writer }

func (y yamlList) Write(l *Letter) error {
	if _, err := io.WriteString(y.w, "---\n"); err != nil {
		return err
	}
	return YAML(y.w, l)
}

// Object writes v in a format: json, indented, or yaml.
func Object(w io.Writer, format string, v any) error {
	if format == "yaml" {
		return YAML(w, v)
	}
	return JSON(w, v, true)
}

// YAML writes what JSON writes, with the same names in the same order.
func YAML(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Load(text, &node); err != nil {
		return err
	}
	block(&node)
	out, err := yaml.Dump(&node)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, terminal.CleanLines(string(out)))
	return err
}

// block takes JSON's braces and quotes away. Quotes stay where a character will
// be escaped: the escapes are the same in YAML's double quotes.
func block(n *yaml.Node) {
	n.Style = 0
	if strings.ContainsFunc(n.Value, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		block(c)
	}
}

// JSON writes v as one line, or indented.
func JSON(w io.Writer, v any, indent bool) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(cleanJSON(b.Bytes()))
	return err
}

type tsvList struct {
	w      io.Writer
	headed bool
}

func (t *tsvList) Write(l *Letter) error {
	if !t.headed {
		t.headed = true
		if err := t.line("id", "failed_at", "stage", "provider", "tenant", "type", "event_id", "key", "reason", "status", "fingerprint"); err != nil {
			return err
		}
	}
	return t.line(terminal.Clean(l.ID), l.FailedAt.Format(time.RFC3339), terminal.Clean(string(l.Stage)), orDash(l.Provider), orDash(l.Tenant),
		orDash(l.EventType), orDash(l.EventID), orDash(l.Key), orDash(string(l.Reason)), terminal.Clean(l.Text()), l.Fingerprint)
}

func (t *tsvList) line(cells ...string) error {
	_, err := fmt.Fprintln(t.w, strings.Join(cells, "\t"))
	return err
}

type tableList struct {
	w      io.Writer
	color  terminal.Painter
	headed bool
}

// The widths add up to 80. An ID is never cut: it is what one copies.
const (
	tableTop    = "%-47s %-20s %s\n"
	tableBottom = "  %-10s%-18s%-28s%s\n"
)

func (t *tableList) Write(l *Letter) error {
	if !t.headed {
		t.headed = true
		head := fmt.Sprintf(tableTop, "ID", "FAILED AT (UTC)", "STATUS") + fmt.Sprintf(tableBottom, "STAGE", "PROVIDER", "TYPE", "REASON")
		if _, err := io.WriteString(t.w, t.color.Text(head, terminal.Bold)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(t.w, tableTop+tableBottom,
		terminal.Clean(l.ID), second(l.FailedAt), t.color.Text(terminal.Clean(l.Text()), statusColor(l.Text())),
		fit(terminal.Clean(string(l.Stage)), 9), fit(orDash(l.Provider), 17), fit(orDash(l.EventType), 27), fit(orDash(string(l.Reason)), 22))
	return err
}

type wideList struct {
	w      io.Writer
	color  terminal.Painter
	headed bool
}

// The widths of a list with a line a dead letter add up to wideColumns. The stage is in
// the ID. What an ID takes beyond its width, the type has less.
const (
	wideColumns = 120
	wideID      = 38
	wideType    = 21
	wideFormat  = "%-*s%-17s%s%-11s%-*s%s\n"
)

func (t *wideList) Write(l *Letter) error {
	if !t.headed {
		t.headed = true
		head := fmt.Sprintf(wideFormat, wideID, "ID", "FAILED AT (UTC)", "STATUS       ", "PROVIDER", wideType, "TYPE", "REASON")
		if _, err := io.WriteString(t.w, t.color.Text(head, terminal.Bold)); err != nil {
			return err
		}
	}
	id := terminal.Clean(l.ID)
	taken := max(wideID, utf8.RuneCountInString(id)+1)
	kind := max(3, wideType-(taken-wideID))
	status := t.color.Text(fmt.Sprintf("%-13s", fit(terminal.Clean(l.Text()), 12)), statusColor(l.Text()))
	_, err := fmt.Fprintf(t.w, wideFormat, taken, id, l.FailedAt.UTC().Format("2006-01-02 15:04"), status,
		fit(orDash(l.Provider), 10), kind, fit(orDash(l.EventType), kind-1), fit(orDash(string(l.Reason)), 20))
	return err
}

func statusColor(status string) terminal.SGR {
	switch status {
	case "open", "pending":
		return terminal.Yellow
	case "failed-again", "unreadable":
		return terminal.Red
	case "replayed", "succeeded":
		return terminal.Green
	}
	return terminal.Dim
}
