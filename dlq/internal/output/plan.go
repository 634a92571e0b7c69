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
)

// Outcome is a plan and what became of it, as -o json writes it.
type Outcome struct {
	Action   record.Action       `json:"action"`
	DryRun   bool                `json:"dry_run"`
	ReplayID string              `json:"replay_id,omitempty"`
	Planned  int                 `json:"planned"`
	Targets  map[string]int      `json:"targets,omitempty"`
	Refused  []action.Refusal    `json:"refused"`
	Missing  []string            `json:"missing"`
	Hopeless map[reason.Code]int `json:"hopeless,omitempty"`
	Done     int                 `json:"done"`
}

// Plan writes what would happen, for a person to decide.
func Plan(w io.Writer, a record.Action, p *action.Plan) error {
	var b bytes.Buffer
	if a == record.Replayed {
		for _, topic := range slices.Sorted(maps.Keys(p.Targets)) {
			fmt.Fprintf(&b, "%8s to %s\n", Number(p.Targets[topic]), Clean(topic))
		}
		for _, code := range slices.Sorted(maps.Keys(p.Hopeless)) {
			fmt.Fprintf(&b, "%8s of them failed with %s, which a replay alone does not mend\n", Number(p.Hopeless[code]), code)
		}
	} else if p.Total() > 0 {
		fmt.Fprintf(&b, "%8s to discard\n", Number(p.Total()))
	}
	for _, r := range p.Refused {
		fmt.Fprintf(&b, "%8s refused: %s\n%8s for example %s\n", Number(r.Count), wrap(Clean(r.Why), 80-18, strings.Repeat(" ", 18)), "", Clean(r.Example))
	}
	for _, id := range p.Missing {
		fmt.Fprintf(&b, "%8s no dead letter has the ID %s\n", "1", Clean(id))
	}
	_, err := w.Write(b.Bytes())
	return err
}
