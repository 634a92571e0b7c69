// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"fmt"
	"io"

	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/stage/terminal"
)

// Tally counts how the dead letters of one replay ended, as -o json writes it.
type Tally struct {
	ReplayID    string `json:"replay_id"`
	Succeeded   int    `json:"succeeded"`
	FailedAgain int    `json:"failed_again"`
	Duplicates  int    `json:"duplicates"`
	Pending     int    `json:"pending"`
	// Again are the IDs of some dead letters that came of the replay.
	Again []string `json:"again"`
}

// maxAgain is how many IDs of new dead letters are named.
const maxAgain = 20

// Add counts one.
func (t *Tally) Add(o outcome.Outcome) {
	switch o.State {
	case outcome.Succeeded:
		t.Succeeded++
	case outcome.Duplicate:
		t.Duplicates++
	case outcome.FailedAgain:
		if t.FailedAgain++; len(t.Again) < maxAgain {
			t.Again = append(t.Again, o.Again)
		}
	default:
		t.Pending++
	}
}

// Total is how many were counted.
func (t *Tally) Total() int { return t.Succeeded + t.FailedAgain + t.Duplicates + t.Pending }

// Ended writes a tally for a person.
func Ended(w io.Writer, t Tally) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%8s succeeded\n", Number(t.Succeeded))
	for _, line := range []struct {
		n    int
		what string
	}{{t.FailedAgain, "failed again"}, {t.Duplicates, "were duplicates: the ledger has them from another delivery"}, {t.Pending, "pending"}} {
		if line.n > 0 {
			fmt.Fprintf(&b, "%8s %s\n", Number(line.n), line.what)
		}
	}
	for _, id := range t.Again {
		fmt.Fprintf(&b, "%8s %s\n", "", terminal.Clean(id))
	}
	if t.FailedAgain > len(t.Again) {
		fmt.Fprintf(&b, "%8s and more: dlq list --run %s --status failed-again\n", "", terminal.Clean(t.ReplayID))
	}
	_, err := w.Write(b.Bytes())
	return err
}
