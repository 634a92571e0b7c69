// SPDX-License-Identifier: Apache-2.0

package pages

import (
	"context"
	"os/exec"
	"strings"
)

// Command is one that a page has its reader type. It may go over several lines.
type Command struct {
	Line int
	Text string
	// Confirmed says that the page shows the command asking, and being told yes.
	Confirmed bool
}

// Commands of a block: of sh every line, of console what follows "$ ". Other
// blocks have none.
func (b *Block) Commands(ctx context.Context) []Command {
	switch b.Language {
	case "sh":
		return b.typed(ctx)
	case "console":
		return b.shown()
	}
	return nil
}

// typed cuts a script into its commands: a line that no shell would take alone
// goes on in the next one.
func (b *Block) typed(ctx context.Context) []Command {
	var all []Command
	for i := 0; i < len(b.Lines); i++ {
		c := Command{Line: b.Line + i, Text: b.Lines[i]}
		for i+1 < len(b.Lines) && !complete(ctx, c.Text) {
			i++
			c.Text += "\n" + b.Lines[i]
		}
		if text := strings.TrimSpace(c.Text); text != "" && !strings.HasPrefix(text, "#") {
			all = append(all, c)
		}
	}
	return all
}

// complete asks a shell, which runs nothing.
func complete(ctx context.Context, text string) bool {
	if strings.HasSuffix(text, `\`) {
		return false
	}
	cmd := exec.CommandContext(ctx, "bash", "-n")
	cmd.Stdin = strings.NewReader(text + "\n")
	return cmd.Run() == nil
}

const prompt = "$ "

func (b *Block) shown() []Command {
	var all []Command
	for i := 0; i < len(b.Lines); i++ {
		text, typed := strings.CutPrefix(b.Lines[i], prompt)
		if !typed {
			if n := len(all); n > 0 && strings.Contains(b.Lines[i], "[y/N] y") {
				all[n-1].Confirmed = true
			}
			continue
		}
		c := Command{Line: b.Line + i, Text: text}
		for strings.HasSuffix(c.Text, `\`) && i+1 < len(b.Lines) {
			i++
			c.Text += "\n" + b.Lines[i]
		}
		all = append(all, c)
	}
	return all
}
