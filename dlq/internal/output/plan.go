// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/terminal"
)

// Outcome is a plan and what became of it, as -o json writes it.
type Outcome struct {
	Action   record.Action `json:"action"`
	DryRun   bool          `json:"dry_run"`
	ReplayID string        `json:"replay_id,omitempty"`
	// RunID names what is no replay.
	RunID    string              `json:"run_id,omitempty"`
	Planned  int                 `json:"planned"`
	Targets  map[string]int      `json:"targets,omitempty"`
	Refused  []action.Refusal    `json:"refused"`
	Missing  []string            `json:"missing"`
	Hopeless map[reason.Code]int `json:"hopeless,omitempty"`
	Beyond   int                 `json:"beyond_limit,omitempty"`
	// Sent counts what the replay sent before, under the same ID, and Again what
	// came of that and is left out.
	Sent  int `json:"sent_before,omitempty"`
	Again int `json:"failed_again,omitempty"`
	// Edited counts what is sent with another payload; EditExample shows one
	// difference.
	Edited      int    `json:"edited,omitempty"`
	EditExample string `json:"edit_example,omitempty"`
	// Identified counts what is sent under an identity that ingest did not find.
	Identified int `json:"identified,omitempty"`
	Done       int `json:"done"`
	// Skipped says why less was done than was planned.
	Skipped []action.Refusal `json:"skipped,omitempty"`
}

// From is the status that the action starts from.
func (o *Outcome) From() string {
	if o.Action == record.Reopened {
		return string(record.Discarded)
	}
	return "open"
}

func refusals(b *bytes.Buffer, what string, refused []action.Refusal) {
	const indent = 18 // 8 for the number, and "refused" or "skipped"
	for _, r := range refused {
		fmt.Fprintf(b, "%8s %s: %s\n", Number(r.Count), what, wrap(terminal.Clean(r.Why), 80-indent, strings.Repeat(" ", indent)))
		if r.Example != "" {
			fmt.Fprintf(b, "%8s for example %s\n", "", terminal.Clean(r.Example))
		}
	}
}

// Skipped writes why less was done than was planned.
func Skipped(w io.Writer, skipped []action.Refusal) error {
	var b bytes.Buffer
	refusals(&b, "skipped", skipped)
	_, err := w.Write(b.Bytes())
	return err
}

// Plan writes what would happen, for a person to decide.
func Plan(w io.Writer, a record.Action, p *action.Plan) error {
	var b bytes.Buffer
	if a == record.Replayed {
		for _, topic := range slices.Sorted(maps.Keys(p.Targets)) {
			fmt.Fprintf(&b, "%8s to %s\n", Number(p.Targets[topic]), terminal.Clean(topic))
		}
		for _, code := range slices.Sorted(maps.Keys(p.Hopeless)) {
			fmt.Fprintf(&b, "%8s of them failed with %s, which a replay alone does not mend\n", Number(p.Hopeless[code]), code)
		}
	} else if p.Total() > 0 {
		fmt.Fprintf(&b, "%8s to %s\n", Number(p.Total()), map[record.Action]string{record.Discarded: "discard", record.Reopened: "open again"}[a])
	}
	if p.Sent > 0 {
		fmt.Fprintf(&b, "%8s were sent before by this replay\n", Number(p.Sent))
	}
	if p.Again > 0 {
		fmt.Fprintf(&b, "%8s left out: they failed again in this replay. Name their IDs to send\n%9sthem once more, or replay them under another ID\n", Number(p.Again), "")
	}
	if p.Beyond > 0 {
		fmt.Fprintf(&b, "%8s more match, beyond --limit\n", Number(p.Beyond))
	}
	if p.Edited > 0 {
		fmt.Fprintf(&b, "%8s of them with another payload, for example\n", Number(p.Edited))
		for line := range strings.Lines(p.EditExample) {
			fmt.Fprintf(&b, "%9s%s\n", "", terminal.CleanLines(strings.TrimSuffix(line, "\n")))
		}
	}
	if p.Identified > 0 {
		fmt.Fprintf(&b, "%8s of them under the identity that their payload gives\n", Number(p.Identified))
	}
	refusals(&b, "refused", p.Refused)
	for _, id := range p.Missing {
		fmt.Fprintf(&b, "%8s no dead letter has the ID %s\n", "1", terminal.Clean(id))
	}
	_, err := w.Write(b.Bytes())
	return err
}
