// SPDX-License-Identifier: Apache-2.0

package catalogue

import (
	"fmt"
	"strings"
)

// Markdown is docs/providers.md: a table of all providers, and a section for
// each.
func Markdown(entries []*Entry) string {
	var b strings.Builder
	confirmed := 0
	for _, e := range entries {
		if e.Confirmed {
			confirmed++
		}
	}
	fmt.Fprintf(&b, `# Providers

Generated from the definitions in `+"`schemas/provider/definitions`"+`; do not edit. The
facts of %d of these %d providers were read at their source; the others say what is
not confirmed. `+"`ingest providers`"+` lists the same at the terminal, your own included.
To add one, see [adding a provider](adding-a-provider.md).

A secret's file holds one secret a line, and any of them verifies, so that secrets can
be rotated. HOST is where your senders reach ingest; TENANT is `+"`default`"+` unless the
URL names another. Where something has several places, the first that a request has
counts.

| provider | name | verified by | handshakes | bodies | tenant | mapped to | confirmed |
|---|---|---|---|---|---|---|---|
`, confirmed, len(entries))
	for _, e := range entries {
		fmt.Fprintf(&b, "| [%s](#%s) | `%s` | %s | %s | %s | %s | %s | %s |\n", e.Title, anchor(e.Title), e.Name,
			joined(e.SchemeNames()), joined(e.HandshakeNames()), cell(e.bodies()), e.TenantFrom(), joined(e.Entities()), yes(e.Confirmed))
	}
	weakerSchemes(&b, entries)
	b.WriteString(`
## What is not signed

Whoever has seen a genuine request can send it again with another of what a provider
does not sign; each section lists what of an event's identity that is. With another event
id it is no duplicate, so the version guard of the rows has to hold it back, and
consumers of the topics see it twice. With another event type its body must still be one
of that type, which every mapping requires: else it becomes a dead letter
(type_mismatch). What no body shows, such as the deletion of something of which only the
id is sent, is as trustworthy as the way there: use TLS, and keep requests out of logs.
`)
	for _, e := range entries {
		e.section(&b)
	}
	return b.String()
}

// weakerSchemes lists those of all providers.
func weakerSchemes(b *strings.Builder, entries []*Entry) {
	b.WriteString(`
## Weaker schemes

Of several schemes the strongest comes first. A weaker one verifies nothing by default:
whoever has seen a request could leave its stronger signature out. Where a provider does
not send the stronger one yet, allow the weaker by name, for all tenants or for one:
` + "`HOOKSTREAM_WEAKER_SCHEMES=\"hubspot=v2,v1;acme/aws-sns=v1\"`" + `. What is allowed or not,
a request with a stronger signature is judged by that alone.

| provider | scheme | why it is weaker, and when it is taken |
|---|---|---|
`)
	for _, e := range entries {
		for _, s := range e.Schemes {
			if s.Weaker != "" {
				fmt.Fprintf(b, "| %s | `%s` | %s |\n", e.Title, s.Name, cell(s.Weaker))
			}
		}
	}
}

func (e *Entry) section(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n", e.Title)
	if e.Summary != "" {
		fmt.Fprintf(b, "%s ", e.Summary)
	}
	fmt.Fprintf(b, "[Documentation](%s).\n\n", e.Docs)
	for _, s := range e.Sections() {
		if len(s.Lines) == 1 {
			fmt.Fprintf(b, "- **%s:** %s\n", s.Title, s.Lines[0])
			continue
		}
		fmt.Fprintf(b, "- **%s:**\n", s.Title)
		for _, line := range s.Lines {
			fmt.Fprintf(b, "  - %s\n", line)
		}
	}
	if len(e.Traps) > 0 {
		b.WriteString("\nEasy to get wrong:\n\n")
		for _, t := range e.Traps {
			fmt.Fprintf(b, "- %s\n", t)
		}
	}
}

// Section is a part of an entry, for people to read.
type Section struct {
	Title string
	Lines []string
}

// Sections are the entry in the order in which it is read. Those of which there
// is nothing to say are left out.
func (e *Entry) Sections() []Section {
	var out []Section
	add := func(title string, lines ...string) {
		if len(lines) > 0 {
			out = append(out, Section{title, lines})
		}
	}
	for _, s := range e.Schemes {
		title := "Verified by"
		if s.Name != "" {
			title += " (" + s.Name + ")"
		}
		add(title, s.Text)
		if s.Weaker != "" {
			add("Weaker ("+s.Name+")", s.Weaker)
		}
	}
	var settings []string
	for _, s := range e.Configure {
		settings = append(settings, s.Where+": "+s.What)
	}
	add("Configure", settings...)
	for _, h := range e.Handshakes {
		add("Handshake "+h.Name, h.Text)
	}
	add("Bodies", e.bodies())
	add("Event id", e.Identity.ID...)
	add("Event type", e.Identity.Type...)
	add("Business key", e.Identity.Key...)
	add("Time", e.Identity.Time...)
	add("Sequence", e.Identity.Sequence...)
	add("Tenant", e.Identity.Tenant...)
	add("Not signed", e.Unsigned...)
	add("Answer", e.Answer)
	add("Events", e.mapped()...)
	if !e.Confirmed || e.Unconfirmed != "" {
		add("Not confirmed", e.unconfirmed())
	}
	return out
}

func (e *Entry) unconfirmed() string {
	if e.Unconfirmed == "" {
		return "its facts come from secondary sources"
	}
	return e.Unconfirmed
}

func (e *Entry) bodies() string {
	text := strings.Join(e.Formats, " or ")
	if e.FormField != "" {
		text += ", with the event as JSON in the field " + code(e.FormField)
	}
	if len(e.Batch) > 0 {
		text += ", one event for each of " + codes(e.Batch)
	}
	return text
}

// mapped lists what becomes of the event types.
func (e *Entry) mapped() []string {
	var out []string
	for _, ev := range e.Events {
		out = append(out, codes(ev.Types)+" become "+ev.Entity)
	}
	rest := map[string]string{
		"generic": "are kept as generic", "drop": "are dropped", "dead-letter": "are dead-lettered",
	}[e.Unmapped]
	if len(out) == 0 {
		return []string{"all " + rest}
	}
	return append(out, "all others "+rest)
}

// anchor is the fragment that GitHub gives a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ' || r == '-':
			b.WriteByte('-')
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r > 0x7f:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func joined(list []string) string { return cell(strings.Join(list, ", ")) }

// cell keeps text inside its cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
