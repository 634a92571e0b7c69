// SPDX-License-Identifier: Apache-2.0

// Package history tells who did what with dead letters, from their resolutions.
package history

import (
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

// Run is what one operator did at one time.
type Run struct {
	Action record.Action `json:"action"`
	By     string        `json:"by"`
	Why    string        `json:"why,omitempty"`
	// ReplayID is there for replays, RunID for the rest. Discards of a version
	// that named none have neither.
	ReplayID string    `json:"replay_id,omitempty"`
	RunID    string    `json:"run_id,omitempty"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Count    int       `json:"count"`
	// Planned is how many were to be changed when the run was last begun, and State
	// how far that is; both are empty where they are not known.
	Planned int   `json:"planned,omitempty"`
	State   State `json:"state,omitempty"`
	// Edited counts the records that were sent with another payload; Patch is
	// the jq program that changed them, and Diff the first difference.
	Edited int    `json:"edited,omitempty"`
	Patch  string `json:"patch,omitempty"`
	Diff   string `json:"diff,omitempty"`
	// Example is one dead letter's ID.
	Example string `json:"example"`

	planned time.Time
}

// State is how far a run is.
type State string

// The states.
const (
	// Done is that all was changed that was planned.
	Done State = "done"
	// InPart is that less was: it is under way, was cancelled, failed or fenced by
	// another operator, or found some changed meanwhile.
	InPart State = "in-part"
)

// gap is the time after which the same operator's next resolutions for the same
// reason are another run, where they have no ID that says so.
const gap = time.Minute

// maxDiffs bounds the differences that are kept, in bytes: those of the newest
// runs. LeftOut stands for the others.
const (
	maxDiffs = 4 << 20
	leftOut  = "… left out, because many were edited; dlq show ID -o json has it\n"
)

// History collects runs. What a run's resolutions have in common is kept once.
type History struct {
	id, by string
	since  time.Time
	runs   map[kind][]*Run
	// edited are the runs with a difference, which take diffs bytes together.
	edited []*Run
	diffs  int
	// seen are the resolutions that were counted: until the topic is
	// compacted, one is there as itself and as what a later one replaced.
	seen map[letters.Digest]struct{}
}

type kind struct {
	action       record.Action
	by, why, run string
}

// New selects by dead letter, operator and time, where they are not empty.
func New(id, by string, since time.Time) *History {
	return &History{id: id, by: by, since: since, runs: map[kind][]*Run{}, seen: map[letters.Digest]struct{}{}}
}

// Add counts a resolution and what it took the place of; it takes nil, which is
// a tombstone, and never fails.
func (h *History) Add(id string, r *record.Resolution) error {
	for ; r != nil; r = r.Previous {
		if (h.id == "" || id == h.id) && (h.by == "" || r.By == h.by) && !r.At.Before(h.since) {
			h.count(id, r)
		}
	}
	return nil
}

func (h *History) count(id string, r *record.Resolution) {
	d := letters.DigestOf(id + "\x00" + string(r.Action) + r.At.Format(time.RFC3339Nano))
	if _, ok := h.seen[d]; ok {
		return
	}
	h.seen[d] = struct{}{}
	run := h.run(r)
	run.plan(r)
	if run.Count++; run.Example == "" || r.At.Equal(run.From) {
		run.Example = id
	}
	if r.Edit == nil {
		return
	}
	if run.Edited++; run.Diff == "" && r.Edit.Diff != "" {
		run.Patch, run.Diff = r.Edit.Patch, r.Edit.Diff
		h.keep(run)
	}
}

// keep makes room for a run's difference: from time to time those of the older
// half go.
func (h *History) keep(run *Run) {
	h.edited, h.diffs = append(h.edited, run), h.diffs+len(run.Diff)
	if h.diffs <= maxDiffs {
		return
	}
	slices.SortFunc(h.edited, newestFirst)
	half := len(h.edited) / 2
	for _, old := range h.edited[half:] {
		h.diffs -= len(old.Diff)
		old.Diff = leftOut
	}
	h.edited = slices.Clip(h.edited[:half])
}

func newestFirst(a, b *Run) int { return b.From.Compare(a.From) }

// run finds the run that r belongs to, or begins one.
func (h *History) run(r *record.Resolution) *Run {
	k := kind{r.Action, r.By, r.Why, r.Run()}
	for _, run := range h.runs[k] {
		if k.run != "" || !r.At.Before(run.From.Add(-gap)) && !r.At.After(run.To.Add(gap)) {
			if r.At.Before(run.From) {
				run.From = r.At
			}
			if r.At.After(run.To) {
				run.To = r.At
			}
			return run
		}
	}
	run := &Run{Action: r.Action, By: r.By, Why: r.Why, ReplayID: r.ReplayID, RunID: r.RunID, From: r.At, To: r.At}
	h.runs[k] = append(h.runs[k], run)
	return run
}

// plan takes over what the newest resolution says was planned: a run that is gone on
// with plans anew.
func (r *Run) plan(res *record.Resolution) {
	if res.Planned > 0 && !res.At.Before(r.planned) {
		r.Planned, r.planned = res.Planned, res.At
	}
}

// whole reports whether all resolutions of a run are counted.
func (h *History) whole() bool { return h.id == "" && h.by == "" && h.since.IsZero() }

// Runs are the newest first.
func (h *History) Runs() []*Run {
	all, done := []*Run{}, map[string]int{} // several operators may go on with one run
	for k, runs := range h.runs {
		for _, r := range runs {
			done[k.run] += r.Count
		}
	}
	for k, runs := range h.runs {
		for _, r := range runs {
			switch {
			case !h.whole() || r.Planned == 0:
			case done[k.run] < r.Planned:
				r.State = InPart
			default:
				r.State = Done
			}
		}
		all = append(all, runs...)
	}
	slices.SortFunc(all, newestFirst)
	return all
}
