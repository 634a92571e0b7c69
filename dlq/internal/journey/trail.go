// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"cmp"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/record"
)

// trail walks one delivery from hop to hop.
type trail struct {
	of  *builder
	d   *delivery
	out *Delivery
	// last is the time of the last hop that has one.
	last time.Time
	// trace is the one that the hops belong to, until another begins.
	trace string
	// settled is set by the row.
	settled bool
}

func (t *trail) walk() {
	t.request()
	legs := t.d.rawLegs()
	for i, leg := range legs {
		t.raw(leg, i)
		failed := t.failed(record.StageTransform, leg.at)
		switch {
		case i < len(legs)-1:
		case !failed:
			t.afterRaw(leg.at)
		case t.wasReplayed():
			t.afterLostReplay()
		}
	}
	if len(legs) == 0 {
		t.published()
	}
}

// add appends a hop at a time; a zero time is unknown.
func (t *trail) add(h *Hop, at time.Time) *Hop {
	if !at.IsZero() {
		if t.last.After(at) && t.last.Sub(at) < time.Millisecond {
			at = t.last // Kafka keeps milliseconds: a record is not before what it was made of
		}
		at = at.UTC()
		h.At = &at
		if !t.last.IsZero() {
			h.AfterSeconds = seconds(at.Sub(t.last))
		}
		t.last = at
	}
	t.out.Hops = append(t.out.Hops, h)
	return h
}

// traced notes where a new trace begins.
func (t *trail) traced(h *Hop, id string) *Hop {
	if id != "" && id != t.trace {
		if t.trace != "" {
			h.TraceID = id
		}
		t.trace = id
	}
	return h
}

// end notes where the delivery is. Where it has a row, that is what counts.
func (t *trail) end(s Status) {
	if !t.settled {
		t.out.Status = s
	}
}

// request is what the edge wrote on the first record, or what came of it knows.
func (t *trail) request() {
	d := t.d
	if !d.receivedAt.IsZero() {
		t.out.ReceivedAt = &d.receivedAt
	}
	if d.origin != nil {
		t.out.Raw = position(*d.origin)
	}
	details := &RequestDetails{}
	if len(d.raws) > 0 {
		w := slices.MinFunc(d.raws, func(a, b *stored) int { return cmp.Compare(a.ReplayCount, b.ReplayCount) })
		details.Remote, details.Verification, details.VerificationKey = w.Remote, w.Verification.Scheme, w.Verification.KeyID
		details.ContentType, details.Defect = w.ContentType, w.Defect
		if w.Batch != nil {
			details.BatchIndex, details.BatchCount = w.Batch.Index, w.Batch.Count
		}
	}
	t.out.TraceID = d.firstTrace()
	t.trace = t.out.TraceID
	t.add(&Hop{Kind: Request, RequestDetails: details}, d.receivedAt)
}

// firstTrace is the trace that began with the request.
func (d *delivery) firstTrace() string {
	for _, r := range d.raws {
		if d.origin != nil && r.at == *d.origin && r.traceID != "" {
			return r.traceID
		}
	}
	for _, p := range d.events {
		if p.ReplayCount == 0 && p.traceID != "" && len(d.raws) == 0 {
			return p.traceID
		}
	}
	if d.row != nil && d.row.replayCount == 0 {
		return d.row.traceID
	}
	return ""
}

// rawLeg is one record of the raw topic: the delivery's own, or a replay.
type rawLeg struct {
	at     record.Position
	stored *stored
}

// rawLegs are in the order in which they were written. The first is there even
// if its record is not.
func (d *delivery) rawLegs() []rawLeg {
	var legs []rawLeg
	for _, r := range d.raws {
		i := slices.IndexFunc(legs, func(l rawLeg) bool { return l.at == r.at })
		switch {
		case i < 0:
			legs = append(legs, rawLeg{r.at, r})
		case legs[i].stored.gone:
			legs[i].stored = r // the record itself, after its dead letter
		}
	}
	slices.SortFunc(legs, func(a, b rawLeg) int {
		return cmp.Or(cmp.Compare(a.stored.ReplayCount, b.stored.ReplayCount), cmp.Compare(a.at.Offset, b.at.Offset))
	})
	if d.origin != nil && (len(legs) == 0 || legs[0].at != *d.origin) {
		legs = slices.Insert(legs, 0, rawLeg{at: *d.origin})
	}
	return legs
}

func (t *trail) raw(leg rawLeg, i int) {
	h := &Hop{Kind: Raw, Position: position(leg.at)}
	var at time.Time
	if s := leg.stored; s == nil {
		h.Gone = true
	} else {
		h.Gone, h.Bytes, h.ReplayCount, h.EditedBy = s.gone, &s.bytes, s.ReplayCount, s.editedBy
		t.traced(h, s.traceID)
		if i > 0 {
			at = s.written // the first record has the time of receipt
		}
	}
	t.add(h, at)
}

// failed adds the dead letter of the record at a place, if there is one, and
// what was done with it.
func (t *trail) failed(stage record.Stage, at record.Position) bool {
	i := slices.IndexFunc(t.d.letters, func(l *letters.Letter) bool { return l.Stage == stage && l.Failed == at })
	if i < 0 {
		return false
	}
	l := t.d.letters[i]
	t.add(&Hop{Kind: DeadLetter, Stage: stage, Position: position(l.At), DeadLetterDetails: &DeadLetterDetails{
		DeadLetter: l.ID, Reason: l.Reason, Message: l.Message, Attempts: l.Attempts, ServiceVersion: l.ServiceVersion,
	}}, l.LastFailedAt)
	t.end(DeadLettered)
	if isConflict(l) {
		t.end(Conflict)
	}
	open := t.out.Status
	for _, r := range t.of.resolutions[l.ID] {
		t.add(&Hop{Kind: Resolution, ResolutionDetails: &ResolutionDetails{
			Action: r.Action, By: r.By, Why: r.Why, ReplayID: r.ReplayID, Target: r.Target, Edit: r.Edit,
		}}, r.At)
		switch r.Action {
		case record.Replayed:
			t.end(InFlight)
		case record.Discarded:
			t.end(Discarded)
		default:
			t.end(open)
		}
	}
	return true
}

// wasReplayed reports whether a replay is the last thing known.
func (t *trail) wasReplayed() bool {
	last := t.out.Hops[len(t.out.Hops)-1]
	return last.ResolutionDetails != nil && last.Action == record.Replayed
}

// afterLostReplay goes on where the record of a replay was not found.
func (t *trail) afterLostReplay() {
	if t.d.isPublished() {
		t.published()
		return
	}
	t.lost()
}

func (t *trail) lost() {
	t.add(&Hop{Kind: Unclear, Note: "the record of the replay was not found: no longer kept, or before --since"}, time.Time{})
	t.end(Unknown)
}

// isPublished reports whether transform made an event of the delivery.
func (d *delivery) isPublished() bool { return d.row != nil || len(d.repeats) > 0 || len(d.events) > 0 }

// afterRaw tells what transform made of the last raw record.
func (t *trail) afterRaw(at record.Position) {
	done, behind := t.of.transform.done(at)
	switch {
	case t.d.isPublished():
		t.published()
	case !done:
		t.add(&Hop{Kind: Waiting, Stage: record.StageTransform, Behind: &behind}, time.Time{})
		t.end(InFlight)
	case t.of.held[at] != nil:
		h := t.of.held[at]
		t.add(&Hop{Kind: Hold, Stage: record.StageTransform, Position: position(h.at), HoldDetails: &HoldDetails{HeldFor: h.Reason, Because: h.Message}}, h.Since)
		t.end(Held)
	case t.accepted():
		t.add(&Hop{Kind: Repeat, Stage: record.StageTransform, RepeatDetails: t.repeatOf()}, time.Time{})
		t.end(Duplicate)
	default:
		t.add(&Hop{Kind: Drop, Stage: record.StageTransform}, time.Time{})
		t.end(Dropped)
	}
}

// accepted reports whether transform made an event of another delivery.
func (t *trail) accepted() bool { return !t.of.acceptedAt.IsZero() || t.repeatOf().Of > 0 }

// repeatOf names the delivery that an event was made of.
func (t *trail) repeatOf() *RepeatDetails {
	for i, d := range t.of.deliveries {
		if d.row != nil || d != t.d && len(d.events) > 0 {
			return &RepeatDetails{Of: i + 1}
		}
	}
	r := &RepeatDetails{}
	if !t.of.acceptedAt.IsZero() {
		r.AcceptedAt = &t.of.acceptedAt
	}
	return r
}

// published walks the event that was made of the delivery, and what the sink
// made of it. There is a second one where the deduplication had forgotten the
// first.
func (t *trail) published() {
	legs := t.d.eventLegs()
	for i, leg := range legs {
		t.event(leg)
		failed := t.failed(record.StageSink, leg.at)
		last := i == len(legs)-1 || legs[i+1].Origin != leg.Origin
		switch {
		case !last:
		case !failed, t.wasReplayed() && t.isApplied(leg):
			t.afterEvent(leg.at, leg.Origin)
		case t.wasReplayed():
			t.lost()
		}
	}
	if len(legs) == 0 {
		t.afterLostEvent()
	}
}

// eventLegs are the event's records in the order in which they were written:
// the first on its topic, replays on the sink's own.
func (d *delivery) eventLegs() []*published {
	var legs []*published
	for _, p := range d.events {
		i := slices.IndexFunc(legs, func(o *published) bool { return o.at == p.at })
		switch {
		case i < 0:
			legs = append(legs, p)
		case legs[i].gone:
			legs[i] = p
		}
	}
	slices.SortFunc(legs, func(a, b *published) int {
		return cmp.Or(cmp.Compare(a.Origin.Offset, b.Origin.Offset), cmp.Compare(a.ReplayCount, b.ReplayCount), cmp.Compare(a.at.Offset, b.at.Offset))
	})
	return legs
}

// afterLostEvent goes on where only the ledger knows the event's record.
func (t *trail) afterLostEvent() {
	if r := t.d.row; r != nil {
		t.lostEvent(r, &EventDetails{Entity: r.entity, EntityID: r.entityID, Version: &r.version, TransactionID: r.transactionID})
	}
	for _, r := range t.d.repeats {
		t.lostEvent(r, nil)
	}
}

func (t *trail) lostEvent(r *row, details *EventDetails) {
	var at time.Time
	if r.publishedAt != nil {
		at = *r.publishedAt
	}
	h := &Hop{Kind: Event, Position: position(r.event), Gone: true, EventDetails: details}
	t.add(t.traced(h, r.traceID), at)
	t.afterEvent(r.event, r.event)
}

func (t *trail) event(p *published) {
	kind := Event
	if p.ReplayCount > 0 {
		kind = SinkReplay
	}
	h := &Hop{Kind: kind, Position: position(p.at), Gone: p.gone, Bytes: &p.bytes, ReplayCount: p.ReplayCount,
		EventDetails: &EventDetails{Entity: p.Entity, EntityID: p.EntityID}}
	switch {
	case p.meta != nil:
		h.Version = (*Version)(&p.meta.Version)
	case t.rowOf(p.Origin) != nil:
		h.Version = &t.d.row.version
	}
	if kind == Event {
		h.TransactionID = p.transactionID
	}
	if kind == Event && p.producerID >= 0 {
		h.Transaction = &Transaction{ProducerID: p.producerID, ProducerEpoch: p.producerEpoch}
	}
	t.traced(h, p.traceID)
	t.add(h, p.written)
	t.end(InFlight)
}

// isApplied reports whether the ledger has what became of an event record.
func (t *trail) isApplied(p *published) bool {
	return t.rowOf(p.Origin) != nil || t.repeatAt(p.at) != nil
}

// rowOf is the ledger's row of the event that was first written at a place.
func (t *trail) rowOf(origin record.Position) *row {
	if r := t.d.row; r != nil && r.event == origin {
		return r
	}
	return nil
}

// repeatAt is the repeat that the sink read at a place.
func (t *trail) repeatAt(at record.Position) *row {
	i := slices.IndexFunc(t.d.repeats, func(r *row) bool { return r.event == at })
	if i < 0 {
		return nil
	}
	return t.d.repeats[i]
}

// afterEvent tells what the sink made of an event record, given where it was
// first written.
func (t *trail) afterEvent(at, origin record.Position) {
	if repeat := t.repeatAt(at); repeat != nil {
		t.add(&Hop{Kind: Repeat, Stage: record.StageSink, RepeatDetails: t.repeatOf()}, repeat.at)
		t.end(Duplicate)
		return
	}
	if r := t.rowOf(origin); r != nil {
		t.row(r)
		return
	}
	done, behind := t.of.sink.done(at)
	h := &Hop{Kind: Unclear, Stage: record.StageSink}
	switch {
	case !done:
		h.Kind, h.Behind = Waiting, &behind
		t.end(InFlight)
	case t.of.unread:
		h.Note = "the sink has read it; what came of it is in the ledger, which could not be asked"
		t.end(Unknown)
	case !t.of.database:
		h.Note = "the sink has read it; what came of it is in the ledger: set HOOKSTREAM_DATABASE_URL"
		t.end(Unknown)
	default:
		h.Note = "the sink has read it, and the ledger no longer has it"
		t.end(Unknown)
	}
	t.add(h, time.Time{})
}

func (t *trail) row(r *row) {
	t.add(&Hop{
		Kind: Row, Stage: record.StageSink, ReplayCount: r.replayCount,
		EventDetails: &EventDetails{Entity: r.entity, EntityID: r.entityID},
		RowDetails:   &RowDetails{Outcome: r.outcome, RowVersion: &r.version, Deleted: r.deleted, Attempt: r.attempt, Newest: r.newest},
	}, r.at)
	t.end(r.outcome)
	t.settled = true
}
