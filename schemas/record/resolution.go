// SPDX-License-Identifier: Apache-2.0

package record

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Action is what an operator did with a dead letter.
type Action string

// The actions.
const (
	Replayed  Action = "replayed"
	Discarded Action = "discarded"
	// Reopened takes a discard back: the dead letter is open again.
	Reopened Action = "reopened"
)

// Resolution says what became of a dead letter. The topic is compacted by dead
// letter id, so the last one counts.
type Resolution struct {
	DeadLetterID string    `json:"dead_letter_id"`
	Action       Action    `json:"action"`
	By           string    `json:"by"`
	At           time.Time `json:"at"`
	Why          string    `json:"why,omitempty"`
	// ReplayID names the replay run; Target is the topic it produced to.
	ReplayID string `json:"replay_id,omitempty"`
	Target   string `json:"target,omitempty"`
	// RunID names the run of what is no replay.
	RunID string `json:"run_id,omitempty"`
	// Planned is how many dead letters the run was to change, what it had done before
	// included; 0 where a version that wrote no such number wrote it.
	Planned int `json:"planned,omitempty"`
	// Edit is what was changed in the record before it was sent.
	Edit *Edit `json:"edit,omitempty"`
	// Identity is what a replay gave to a record that ingest could not identify.
	Identity *Identity `json:"identity,omitempty"`
	// Previous is the resolution that this one takes the place of, and in it
	// those before, at most MaxPrevious: the topic is compacted and would
	// forget them. They have no Diff.
	Previous *Resolution `json:"previous,omitempty"`
}

// Bounds of what a resolution says of those before it.
const (
	// MaxPrevious is how many there are; the oldest are left out.
	MaxPrevious = 10
	// maxPreviousText is how much of a why or a patch, in bytes.
	maxPreviousText = 1000
)

// Replaces makes previous, which may be nil, the resolution that r takes the
// place of.
func (r *Resolution) Replaces(previous *Resolution) {
	for n := 0; previous != nil && n < MaxPrevious; n++ {
		p := *previous
		p.Why, p.Previous = shortened(p.Why), nil
		if p.Edit != nil {
			p.Edit = &Edit{Patch: shortened(p.Edit.Patch)}
		}
		r.Previous = &p
		r, previous = &p, previous.Previous
	}
}

func shortened(s string) string {
	if len(s) <= maxPreviousText {
		return s
	}
	return strings.ToValidUTF8(s[:maxPreviousText-len("…")], "") + "…"
}

// Run is the ID of the run that r is of, a replay's or another's; "" where a
// version that named none wrote it.
func (r *Resolution) Run() string { return cmp.Or(r.ReplayID, r.RunID) }

// Edit says how a replayed record differs from its dead letter, which stays as
// it is.
type Edit struct {
	// Patch is the jq program that changed the payload; empty where it was
	// edited by hand.
	Patch string `json:"patch,omitempty"`
	// Diff of the payloads, by lines of indented JSON; - is the dead letter's
	// line, + the sent one.
	Diff string `json:"diff"`
}

// Identity is what an event of the record's provider is known by.
type Identity struct {
	Tenant  string `json:"tenant"`
	EventID string `json:"event_id"`
	// OccurredAt is the event's own time; absent where it has none.
	OccurredAt time.Time `json:"occurred_at,omitzero"`
}

// Record is the Kafka record of r for the resolutions topic.
func (r *Resolution) Record(resolutions string) (*kgo.Record, error) {
	value, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("resolution of %s: %w", r.DeadLetterID, err)
	}
	return &kgo.Record{Topic: resolutions, Key: []byte(r.DeadLetterID), Value: value}, nil
}

// ParseResolution reads a record of the resolutions topic. A tombstone takes a
// resolution back and gives nil.
func ParseResolution(r *kgo.Record) (*Resolution, error) {
	if r.Value == nil {
		return nil, nil
	}
	var res Resolution
	if err := json.Unmarshal(r.Value, &res); err != nil {
		return nil, fmt.Errorf("resolution at %s: %w", PositionOf(r), err)
	}
	if res.DeadLetterID != string(r.Key) {
		return nil, fmt.Errorf("resolution at %s: key %.100q is not its dead letter id", PositionOf(r), r.Key)
	}
	return &res, nil
}
