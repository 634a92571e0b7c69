// SPDX-License-Identifier: Apache-2.0

// Package outcome says what became of replayed dead letters. It looks at what
// happened: at the dead letters that came of a replay, and at the sink's ledger
// where it can be read. Where it cannot, the outcome is unknown and not guessed.
//
// What came of what is told by positions, which a replay keeps, and never by
// times: an operator's clock, the services' and the database's differ.
package outcome

import (
	"context"
	"strings"
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
	// Succeeded: the sink's ledger has the event, from this dead letter's
	// record.
	Succeeded State = "succeeded"
	// Duplicate: the ledger has the event from another delivery, so that the
	// replay changed nothing.
	Duplicate State = "duplicate"
	// FailedAgain: a dead letter came of the replay.
	FailedAgain State = "failed-again"
	// Pending: neither the ledger nor a dead letter has it yet. An event of a
	// type that its definition drops stays so.
	Pending State = "pending"
	// Unknown: there is no dead letter of it, and no ledger that could be read.
	Unknown State = "unknown"
)

// Outcome of one replay of one dead letter.
type Outcome struct {
	State State `json:"state"`
	// Again is the ID of the dead letter that came of the replay.
	Again string `json:"again,omitempty"`
	// Why an outcome is unknown although there is a ledger to ask.
	Why string `json:"why,omitempty"`
}

// Settled reports whether the outcome will not change any more.
func (o Outcome) Settled() bool { return o.State != Pending && o.State != Unknown }

// skew is how far the clocks of operators and services may differ before a dead
// letter that came of a replay is taken for an older one.
const skew = 24 * time.Hour

// Index knows which dead letters came of replays. It grows by the dead letters
// that did and by what the sink gave up since, not by all.
type Index struct {
	runs map[string]time.Time
	// since is when the first replay run began, less the skew.
	since time.Time
	// byReplay finds what failed under a replay's ID: every failure of what
	// was sent to the sink, and transform's of what was sent to it.
	byReplay map[letters.Digest]string
	// byDelivery finds events that the sink gave up after transform had mapped
	// a replayed webhook: an event record does not name the replay.
	byDelivery map[letters.Digest]string
}

// NewIndex is for these replay runs, each with the time of its first
// resolution.
func NewIndex(runs map[string]time.Time) *Index {
	x := &Index{runs: runs, byReplay: map[letters.Digest]string{}, byDelivery: map[letters.Digest]string{}}
	for _, at := range runs {
		if since := at.Add(-skew); x.since.IsZero() || since.Before(x.since) {
			x.since = since
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
	if l.Stage == record.StageSink && l.LastFailedAt.After(x.since) {
		x.byDelivery[deliveryKey(l, identityOf(l, nil))] = l.ID
	}
}

func replayKey(replayID string, origin record.Position) letters.Digest {
	return letters.DigestOf(replayID + "\x00" + origin.String())
}

// deliveryKey names one delivery of an event. Its record on an event topic says
// when the edge received it and under which correlation ID, as the webhook does.
func deliveryKey(l *letters.Letter, id *record.Identity) letters.Digest {
	received, _ := l.Headers.Get(header.ReceivedAt)
	return letters.DigestOf(strings.Join([]string{id.Tenant, l.Provider(), id.EventID, received, l.CorrelationID()}, "\x00"))
}

// identityOf is what l is known by in the ledger once it was replayed by r, which
// may be nil.
func identityOf(l *letters.Letter, r *record.Resolution) *record.Identity {
	if r != nil && r.Identity != nil {
		return r.Identity
	}
	id := &record.Identity{Tenant: l.Tenant(), EventID: l.EventID()}
	if text, ok := l.Headers.Get(header.Time); ok {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			id.OccurredAt = at
		}
	}
	return id
}

// again is the dead letter that came of l's replay r, or "".
func (x *Index) again(l *letters.Letter, r *record.Resolution) string {
	if origin, err := l.Origin(); err == nil {
		if id := x.byReplay[replayKey(r.ReplayID, origin)]; id != "" && id != l.ID {
			return id
		}
	}
	if l.Stage == record.StageTransform {
		return x.byDelivery[deliveryKey(l, identityOf(l, r))]
	}
	return ""
}

// Replayed is a dead letter and how it was replayed.
type Replayed struct {
	Letter     *letters.Letter
	Resolution *record.Resolution
}

// Ledger tells where the events that the sink applied came from: one source an
// event, in their order, nil for those that it has not.
type Ledger interface {
	Sources(ctx context.Context, events []Event) ([]*Source, error)
}

// Event is what the ledger knows an event by.
type Event struct {
	Fingerprint identity.Fingerprint
	// OccurredAt is the event's own time; zero where it has none.
	OccurredAt time.Time
}

// Source is where an event in the ledger came from.
type Source struct {
	// Raw is where its webhook was first written, Event where the event was.
	Raw, Event record.Position
}

// Judge says of each how its replay ended. Ledger is nil where there is none.
func (x *Index) Judge(ctx context.Context, ledger Ledger, replayed []Replayed) ([]Outcome, error) {
	sources := make([]*Source, len(replayed))
	if ledger != nil {
		var err error
		if sources, err = ledger.Sources(ctx, eventsOf(replayed)); err != nil {
			return nil, err
		}
	}
	out := make([]Outcome, len(replayed))
	for i, r := range replayed {
		switch id := x.again(r.Letter, r.Resolution); {
		case id != "":
			out[i] = Outcome{State: FailedAgain, Again: id}
		case ledger == nil:
			out[i].State = Unknown
		case sources[i] == nil:
			out[i].State = Pending
		case sources[i].is(r.Letter):
			out[i].State = Succeeded
		default:
			out[i].State = Duplicate
		}
	}
	return out, nil
}

// is reports whether the event came from the record that l holds. A replay keeps
// where the record was first written: on the raw topic what transform gave up, on
// an event topic what the sink did.
func (s *Source) is(l *letters.Letter) bool {
	origin, err := l.Origin()
	if err != nil {
		return false
	}
	if l.Stage == record.StageSink {
		return s.Event == origin
	}
	return s.Raw == origin
}

func eventsOf(replayed []Replayed) []Event {
	events := make([]Event, len(replayed))
	for i, r := range replayed {
		id := identityOf(r.Letter, r.Resolution)
		events[i] = Event{identity.Of(id.Tenant, r.Letter.Provider(), id.EventID), id.OccurredAt}
	}
	return events
}
