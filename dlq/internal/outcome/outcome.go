// SPDX-License-Identifier: Apache-2.0

// Package outcome says what became of replayed dead letters. It looks at what
// happened: at the dead letters that came of a replay, and at the sink's ledger
// where it can be read. Where it cannot, the outcome is unknown and not guessed.
package outcome

import (
	"context"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

// State is how a replay ended.
type State string

// The states.
const (
	// Succeeded: the sink's ledger has the event since the replay.
	Succeeded State = "succeeded"
	// Duplicate: the ledger had the event before the replay, which changed
	// nothing.
	Duplicate State = "duplicate"
	// FailedAgain: a dead letter came of the replay.
	FailedAgain State = "failed-again"
	// Pending: neither the ledger nor a dead letter has it yet. An event of a
	// type that its definition drops stays so.
	Pending State = "pending"
	// Unknown: there is no dead letter of it, and no ledger to ask.
	Unknown State = "unknown"
)

// Outcome of one replay of one dead letter.
type Outcome struct {
	State State `json:"state"`
	// Again is the ID of the dead letter that came of the replay.
	Again string `json:"again,omitempty"`
}

// Settled reports whether the outcome will not change any more.
func (o Outcome) Settled() bool { return o.State != Pending && o.State != Unknown }

// Index knows which dead letters came of replays. It grows by the dead letters
// that did, not by all.
type Index struct {
	// first is when each replay run began.
	runs  map[string]time.Time
	first time.Time
	// byReplay finds what failed under a replay's ID: every failure of what
	// was sent to the sink, and transform's of what was sent to it.
	byReplay map[letters.Digest]string
	// byEvent finds events that the sink gave up after transform had mapped a
	// replayed webhook: an event record does not name the replay.
	byEvent map[letters.Digest]failed
}

type failed struct {
	id string
	at time.Time
}

// NewIndex is for these replay runs, each with the time of its first
// resolution.
func NewIndex(runs map[string]time.Time) *Index {
	x := &Index{runs: runs, byReplay: map[letters.Digest]string{}, byEvent: map[letters.Digest]failed{}}
	for _, at := range runs {
		if x.first.IsZero() || at.Before(x.first) {
			x.first = at
		}
	}
	return x
}

// Add remembers l if it may have come of a replay.
func (x *Index) Add(l *letters.Letter) {
	if id := l.ReplayID(); id != "" {
		if _, ok := x.runs[id]; ok {
			if origin, err := l.Origin(); err == nil {
				x.byReplay[replayKey(id, origin)] = l.ID
			}
		}
		return
	}
	if l.Stage == record.StageSink && l.LastFailedAt.After(x.first) {
		x.byEvent[eventKey(l)] = failed{l.ID, l.LastFailedAt}
	}
}

func replayKey(replayID string, origin record.Position) letters.Digest {
	return letters.DigestOf(replayID + "\x00" + origin.String())
}

func eventKey(l *letters.Letter) letters.Digest {
	return letters.DigestOf(l.Tenant() + "\x00" + l.Provider() + "\x00" + l.EventID())
}

// again is the dead letter that came of l's replay r, or "".
func (x *Index) again(l *letters.Letter, r *record.Resolution) string {
	if origin, err := l.Origin(); err == nil {
		if id := x.byReplay[replayKey(r.ReplayID, origin)]; id != "" && id != l.ID {
			return id
		}
	}
	if f := x.byEvent[eventKey(l)]; l.Stage == record.StageTransform && f.id != l.ID && f.at.After(r.At) {
		return f.id
	}
	return ""
}

// Replayed is a dead letter and how it was replayed.
type Replayed struct {
	Letter     *letters.Letter
	Resolution *record.Resolution
}

// Ledger tells when the sink applied events; those that it has not are absent.
type Ledger interface {
	Applied(ctx context.Context, events []Event) (map[identity.Fingerprint]time.Time, error)
}

// Event is what the ledger knows an event by.
type Event struct {
	Fingerprint identity.Fingerprint
	// OccurredAt is the event's own time; zero where it has none.
	OccurredAt time.Time
}

// Judge says of each how its replay ended. Ledger is nil where there is none.
func (x *Index) Judge(ctx context.Context, ledger Ledger, replayed []Replayed) ([]Outcome, error) {
	var applied map[identity.Fingerprint]time.Time
	if ledger != nil {
		var err error
		if applied, err = ledger.Applied(ctx, eventsOf(replayed)); err != nil {
			return nil, err
		}
	}
	out := make([]Outcome, len(replayed))
	for i, r := range replayed {
		at, ok := applied[fingerprint(r.Letter)]
		switch id := x.again(r.Letter, r.Resolution); {
		case id != "":
			out[i] = Outcome{FailedAgain, id}
		case ledger == nil:
			out[i].State = Unknown
		case !ok:
			out[i].State = Pending
		case at.Before(r.Resolution.At):
			out[i].State = Duplicate
		default:
			out[i].State = Succeeded
		}
	}
	return out, nil
}

func fingerprint(l *letters.Letter) identity.Fingerprint {
	return identity.Of(l.Tenant(), l.Provider(), l.EventID())
}

func eventsOf(replayed []Replayed) []Event {
	events := make([]Event, len(replayed))
	for i, r := range replayed {
		events[i].Fingerprint = fingerprint(r.Letter)
		if text, ok := r.Letter.Headers.Get(header.Time); ok {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				events[i].OccurredAt = at
			}
		}
	}
	return events
}
