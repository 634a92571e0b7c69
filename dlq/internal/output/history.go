// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/history"
	"github.com/hookstream/hookstream/stage/terminal"
)

// howFar says how far a run is.
func howFar(r *history.Run) string {
	switch r.State {
	case history.Done:
		return "done, all that was planned"
	case history.InPart:
		return fmt.Sprintf("in part, %s of %s planned: under way, cancelled, failed, fenced by another operator, or changed meanwhile", Number(r.Count), Number(r.Planned))
	}
	return ""
}

// History writes runs for a person.
func History(w io.Writer, runs []*history.Run) error {
	var b bytes.Buffer
	for _, r := range runs {
		fmt.Fprintf(&b, "%s  %s %s by %s\n", second(r.From), Number(r.Count), terminal.Clean(string(r.Action)), terminal.Clean(r.By))
		line := func(name, value string) {
			if value != "" {
				fmt.Fprintf(&b, "  %-8s %s\n", name, wrap(value, 80-11, strings.Repeat(" ", 11)))
			}
		}
		line("why", terminal.Clean(r.Why))
		line("ended", howFar(r))
		line("replay", terminal.Clean(r.ReplayID))
		line("run", terminal.Clean(r.RunID))
		if r.Count == 1 {
			line("which", terminal.Clean(r.Example))
		} else {
			line("such as", terminal.Clean(r.Example))
		}
		if r.Edited > 0 {
			line("edited", Number(r.Edited)+" of them")
			line("patch", terminal.Clean(r.Patch))
			for diff := range strings.Lines(r.Diff) {
				fmt.Fprintf(&b, "%11s%s\n", "", terminal.CleanLines(strings.TrimSuffix(diff, "\n")))
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
