// SPDX-License-Identifier: Apache-2.0

package provider

import "strings"

// Notes are what a definition's comments tell its readers.
type Notes struct {
	// Summary is the text at the top of the file.
	Summary string
	// Traps are the list below it: what is easy to get wrong.
	Traps []string
	// Unconfirmed is the text below the list, and the comment at the field
	// confirmed: what was not read at its source.
	Unconfirmed string
}

// Notes reads the comments of the file that d was parsed from.
func (d *Definition) Notes() Notes {
	n := d.source.Root()
	if n == nil || len(n.Content[0].Content) == 0 {
		return Notes{}
	}
	fields := n.Content[0].Content
	// A blank line below the comment makes it the document's.
	notes := readNotes(n.HeadComment + "\n" + n.Content[0].HeadComment + "\n" + fields[0].HeadComment)
	for i := 0; i+1 < len(fields); i += 2 {
		if key, value := fields[i], fields[i+1]; key.Value == "confirmed" {
			more := readNotes(key.HeadComment + "\n" + value.LineComment).Summary
			notes.Unconfirmed = strings.TrimSpace(notes.Unconfirmed + " " + more)
		}
	}
	return notes
}

// readNotes takes a comment apart: text, a list whose items go on in indented
// lines, and text again. A line that ends in a colon announces the list and is
// part of neither.
func readNotes(comment string) (n Notes) {
	for line := range strings.Lines(comment) {
		line = strings.TrimRight(strings.TrimPrefix(strings.TrimLeft(strings.TrimSpace(line), "#"), " "), " ")
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case line == "":
		case isItem:
			n.Traps = append(n.Traps, item)
		case line[0] == ' ' && len(n.Traps) > 0:
			n.Traps[len(n.Traps)-1] += " " + strings.TrimSpace(line)
		case len(n.Traps) > 0:
			n.Unconfirmed = strings.TrimSpace(n.Unconfirmed + " " + line)
		case !strings.HasSuffix(line, ":"):
			n.Summary = strings.TrimSpace(n.Summary + " " + line)
		}
	}
	return n
}
