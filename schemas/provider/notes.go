// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// Notes are what a definition's comments tell its readers.
type Notes struct {
	// Summary is the text at the top of the file.
	Summary string
	// Traps are the list below it: what is easy to get wrong.
	Traps []string
	// Unconfirmed is the comment at the field confirmed: what is missing.
	Unconfirmed string
}

// Notes reads the comments of the file that d was parsed from.
func (d *Definition) Notes() Notes {
	n := d.position.root
	if n == nil || n.Kind != yaml.DocumentNode || len(n.Content) == 0 || len(n.Content[0].Content) == 0 {
		return Notes{}
	}
	fields := n.Content[0].Content
	// A blank line below the comment makes it the document's.
	notes := readNotes(n.HeadComment + "\n" + n.Content[0].HeadComment + "\n" + fields[0].HeadComment)
	for i := 0; i+1 < len(fields); i += 2 {
		if key, value := fields[i], fields[i+1]; key.Value == "confirmed" {
			notes.Unconfirmed = strings.Join(commentLines(key.HeadComment+"\n"+value.LineComment), " ")
		}
	}
	return notes
}

// readNotes takes a comment apart. A line that ends in a colon announces the
// list and is part of neither.
func readNotes(comment string) (n Notes) {
	var summary []string
	for _, line := range commentLines(comment) {
		item, isItem := strings.CutPrefix(line, "- ")
		switch {
		case isItem:
			n.Traps = append(n.Traps, item)
		case len(n.Traps) > 0:
			n.Traps[len(n.Traps)-1] += " " + line
		case !strings.HasSuffix(line, ":"):
			summary = append(summary, line)
		}
	}
	n.Summary = strings.Join(summary, " ")
	return n
}

// commentLines are the lines of a comment that say something.
func commentLines(comment string) (out []string) {
	for line := range strings.Lines(comment) {
		if line = strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(line), "#")); line != "" {
			out = append(out, line)
		}
	}
	return out
}
