// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"

	"github.com/hookstream/hookstream/ingest/internal/catalogue"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/stage/terminal"
)

// definitions is the flag for a folder of one's own definitions.
type definitions struct {
	DefinitionsDir string `help:"Folder of provider definitions that add to or replace the built-in ones." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR"`
}

// find looks a provider up and says which there are.
func (d *definitions) find(name string) (*provider.Definition, error) {
	catalog, err := provider.Load(d.DefinitionsDir)
	if err != nil {
		return nil, err
	}
	def, ok := catalog[name]
	if !ok {
		return nil, fmt.Errorf("there is no provider %q, only %s", name, strings.Join(catalog.Names(), ", "))
	}
	return def, nil
}

type providersCommand struct {
	Name string `arg:"" optional:"" help:"Show this one: how it is verified, and what to configure where."`
	definitions
	Output string `short:"o" help:"Format: ${enum}." enum:"table,json" default:"table"`
}

// Help is shown below the usage.
func (*providersCommand) Help() string {
	return `Examples:
  ingest providers
  ingest providers stripe
  ingest providers --definitions-dir ./providers -o json | jq -r '.[].name'`
}

// Run lists or shows.
func (c *providersCommand) Run(k *kong.Context) error {
	if c.Name != "" {
		def, err := c.find(c.Name)
		if err != nil {
			return err
		}
		e := catalogue.Describe(def)
		if c.Output == "json" {
			return writeJSON(k.Stdout, e)
		}
		return show(k.Stdout, e, terminal.PainterFor(k.Stdout))
	}
	catalog, err := provider.Load(c.DefinitionsDir)
	if err != nil {
		return err
	}
	entries := catalogue.All(catalog)
	if c.Output == "json" {
		return writeJSON(k.Stdout, entries)
	}
	return list(k.Stdout, entries, terminal.PainterFor(k.Stdout))
}

// list writes the table of all providers.
func list(w io.Writer, entries []*catalogue.Entry, p terminal.Painter) error {
	t := table{{"NAME", "TITLE", "VERIFIED BY", "HANDSHAKES", "BODIES", "TENANT", "MAPPED TO", "CONFIRMED"}}
	for _, e := range entries {
		bodies := slices.Clone(e.Formats)
		if len(e.Batch) > 0 {
			bodies = append(bodies, "batch")
		}
		confirmed := "no"
		if e.Confirmed {
			confirmed = "yes"
		}
		t = append(t, []string{
			e.Name, e.Title, words(e.SchemeNames()), words(e.HandshakeNames()), words(bodies), e.TenantFrom(), words(e.Entities()), confirmed,
		})
	}
	return t.write(w, func(row, column int, cell string) string {
		switch {
		case row == 0:
			return p.Text(cell, terminal.Bold)
		case column == len(t[0])-1 && strings.TrimSpace(cell) == "no":
			return p.Text(cell, terminal.Yellow)
		}
		return cell
	})
}

func words(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ",")
}

// table holds rows of cells, the first with the headings.
type table [][]string

// write aligns the columns. Each cell, padded, goes through style.
func (t table) write(w io.Writer, style func(row, column int, cell string) string) error {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for r, row := range t {
		for i, cell := range row {
			if i < len(row)-1 {
				cell += strings.Repeat(" ", widths[i]+2-utf8.RuneCountInString(cell))
			}
			b.WriteString(style(r, i, cell))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// width is how wide text is set.
const width = 96

// show writes everything about one provider.
func show(w io.Writer, e *catalogue.Entry, p terminal.Painter) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n%s\n", p.Text(e.Title, terminal.Bold), e.Name, e.Docs)
	if e.Summary != "" {
		fmt.Fprintf(&b, "\n%s\n", wrap(plain(e.Summary), ""))
	}
	for _, s := range e.Sections() {
		heading := p.Text(s.Title, terminal.Bold)
		if s.Title == "Not confirmed" {
			heading = p.Text(s.Title, terminal.Yellow)
		}
		fmt.Fprintf(&b, "\n%s\n", heading)
		for _, line := range s.Lines {
			fmt.Fprintf(&b, "  %s\n", wrap(plain(line), "    "))
		}
	}
	if len(e.Traps) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.Text("Easy to get wrong", terminal.Bold))
		for _, t := range e.Traps {
			fmt.Fprintf(&b, "  - %s\n", wrap(plain(t), "    "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain is text without Markdown's marks.
func plain(s string) string { return strings.ReplaceAll(s, "`", "") }

// wrap breaks lines at spaces. Words are never broken: they are what one copies.
func wrap(s, indent string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case len(indent)+column+1+n > width:
			b.WriteString("\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}
