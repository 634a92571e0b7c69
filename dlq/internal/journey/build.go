// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"cmp"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// delivery is the evidence about one delivery of the event.
type delivery struct {
	// origin is where it was first written; nil where nobody says.
	origin        *record.Position
	correlationID string
	receivedAt    time.Time
	raws          []*stored
	events        []*published
	letters       []*letters.Letter
	row           *row
	repeats       []*row
}

// builder makes a journey of evidence.
type builder struct {
	*evidence
	stages
	deliveries []*delivery
}

func build(e *evidence, at stages) *Journey {
	b := &builder{evidence: e, stages: at}
	b.assign()
	j := &Journey{Tenant: e.tenant, Provider: e.provider, EventID: e.id, Fingerprint: e.fingerprint().String(), Deliveries: []*Delivery{}}
	for i, d := range b.deliveries {
		d.describe(j)
		t := &trail{of: b, d: d, out: &Delivery{Number: i + 1, CorrelationID: d.correlationID, Hops: []*Hop{}}}
		t.walk()
		j.Deliveries = append(j.Deliveries, t.out)
	}
	j.conclude()
	return j
}

// assign gives every piece of evidence to its delivery. A raw record knows its
// origin, a row too; an event and its dead letter know the request.
func (b *builder) assign() {
	for _, r := range b.raws {
		d := b.at(&r.Position, r.CorrelationID, r.ReceivedAt)
		d.raws = append(d.raws, r)
	}
	for _, r := range b.rows {
		b.at(&r.raw, r.correlationID, r.receivedAt).row = r
	}
	for _, r := range b.repeats {
		d := b.at(&r.raw, r.correlationID, r.receivedAt)
		d.repeats = append(d.repeats, r)
	}
	for _, p := range b.events {
		d := b.at(p.origin(), p.CorrelationID, p.ReceivedAt)
		d.events = append(d.events, p)
	}
	for _, l := range b.letters {
		d := b.ofLetter(l)
		d.letters = append(d.letters, l)
	}
	slices.SortStableFunc(b.deliveries, func(x, y *delivery) int {
		return cmp.Or(x.receivedAt.Compare(y.receivedAt), cmp.Compare(x.offset(), y.offset()))
	})
}

func (d *delivery) offset() int64 {
	if d.origin == nil {
		return 0
	}
	return d.origin.Offset
}

// at is the delivery of a raw position, or of a request where that is unknown.
func (b *builder) at(origin *record.Position, correlationID string, receivedAt time.Time) *delivery {
	receivedAt = receivedAt.UTC().Truncate(time.Microsecond)
	for _, d := range b.deliveries {
		same := d.correlationID == correlationID && d.receivedAt.Equal(receivedAt)
		if origin != nil && d.origin != nil {
			same = *d.origin == *origin
		}
		if same {
			if d.origin == nil {
				d.origin = origin
			}
			return d
		}
	}
	d := &delivery{origin: origin, correlationID: correlationID, receivedAt: receivedAt}
	b.deliveries = append(b.deliveries, d)
	return d
}

func (b *builder) ofLetter(l *letters.Letter) *delivery {
	correlationID, _ := l.Headers.Get(header.CorrelationID)
	text, _ := l.Headers.Get(header.ReceivedAt)
	receivedAt, _ := time.Parse(time.RFC3339Nano, text) // zero where the record is not ours
	if l.Stage != record.StageTransform {
		return b.at(nil, correlationID, receivedAt)
	}
	origin := l.Failed
	if o, err := l.Origin(); err == nil {
		origin = o
	}
	return b.at(&origin, correlationID, receivedAt)
}

// describe adds to j what the delivery says about the event.
func (d *delivery) describe(j *Journey) {
	say := func(eventType, key string, at time.Time) {
		j.EventType, j.BusinessKey = cmp.Or(j.EventType, eventType), cmp.Or(j.BusinessKey, key)
		if j.OccurredAt == nil && !at.IsZero() {
			j.OccurredAt = &at
		}
	}
	for _, r := range d.raws {
		say(r.EventType, r.BusinessKey, r.OccurredAt)
	}
	for _, p := range d.events {
		say(p.EventType, p.BusinessKey, p.OccurredAt)
	}
	if r := d.row; r != nil {
		say(r.eventType, r.businessKey, r.occurred())
	}
	for _, r := range d.repeats {
		say(r.eventType, "", time.Time{})
	}
	for _, l := range d.letters {
		say(l.EventType(), l.BusinessKey(), time.Time{})
	}
}

// conclude gives the journey the status of the delivery that counts: the one
// with a row, else the first that is no repeat.
func (j *Journey) conclude() {
	var first *Delivery
	for _, d := range j.Deliveries {
		if row := d.row(); row != nil {
			j.Status = d.Status
			if d.ReceivedAt != nil && row.At != nil {
				j.RequestToRowSeconds = seconds(row.At.Sub(*d.ReceivedAt))
			}
			return
		}
		if first == nil || first.Status == Duplicate {
			first = d
		}
	}
	if first != nil {
		j.Status = first.Status
	}
}

func (d *Delivery) row() *Hop {
	for _, h := range d.Hops {
		if h.Kind == Row {
			return h
		}
	}
	return nil
}

func seconds(d time.Duration) *float64 {
	s := d.Seconds()
	return &s
}

// isConflict reports whether a dead letter is a delivery with other data.
func isConflict(l *letters.Letter) bool { return l.Reason == reason.IdentityConflict }
