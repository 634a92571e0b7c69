// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
)

// evidence is everything that was found about one event. Payloads are not kept.
type evidence struct {
	eventKey
	// newest is the time of the newest record.
	newest time.Time
	// seen are the positions of the records below: they may be read twice.
	seen map[record.Position]bool

	raws    []*stored
	events  []*published
	letters []*letters.Letter
	// resolutions of the letters, oldest first, by dead letter id.
	resolutions map[string][]*record.Resolution
	rows        []*row
	repeats     []*row
	// held are the raw records that transform holds.
	held map[record.Position]*hold
	// acceptedAt is when transform first accepted the event, by the
	// deduplication changelog; zero where that does not have it.
	acceptedAt time.Time
	// skipped raw records are beyond what is kept.
	skipped int
	// times of the event that only the ledger has.
	times []time.Time
}

func newEvidence(k eventKey) *evidence {
	return &evidence{eventKey: k, seen: map[record.Position]bool{}, resolutions: map[string][]*record.Resolution{}, held: map[record.Position]*hold{}}
}

// maxDeliveries bounds what is kept of an event that a provider delivers again
// and again.
const maxDeliveries = 1000

func (e *evidence) store(r *stored) {
	if len(e.raws) >= maxDeliveries {
		e.skipped++
		return
	}
	e.raws = append(e.raws, r)
}

// occurred are the times that the records give the event: one, unless its
// provider contradicts itself.
func (e *evidence) occurred() []time.Time {
	times := slices.Clone(e.times)
	for _, r := range e.raws {
		times = append(times, r.OccurredAt)
	}
	for _, p := range e.events {
		times = append(times, p.OccurredAt)
	}
	slices.SortFunc(times, time.Time.Compare)
	return slices.CompactFunc(times, time.Time.Equal)
}

// stored is a raw record: a delivery, or a replay of one.
type stored struct {
	*record.Webhook
	at       record.Position
	written  time.Time
	traceID  string
	editedBy string
	bytes    int
	// gone records are known by their dead letters only, which do not have
	// the time at which they were written.
	gone bool
}

// hold is where a raw record is held, and why.
type hold struct {
	*record.Held
	at  record.Position
	key string
}

// released forgets the hold with a key.
func (e *evidence) released(key string) {
	maps.DeleteFunc(e.held, func(_ record.Position, h *hold) bool { return h.key == key })
}

// published is a record of an event topic or of the sink's replay topic.
type published struct {
	*record.Event
	at            record.Position
	written       time.Time
	traceID       string
	transactionID string
	bytes         int
	producerID    int64
	producerEpoch int16
	// meta is nil where no registry was asked.
	meta *event.Meta
	gone bool
}

// origin is where the webhook was first written, if it is known.
func (p *published) origin() *record.Position {
	if p.meta == nil {
		return nil
	}
	return &record.Position{Topic: p.meta.RawTopic, Partition: p.meta.RawPartition, Offset: p.meta.RawOffset}
}

func newStored(r *kgo.Record) (*stored, error) {
	w, err := record.ParseWebhook(r)
	if err != nil {
		return nil, err
	}
	s := &stored{Webhook: w, at: record.PositionOf(r), written: r.Timestamp, gone: r.Timestamp.IsZero(), traceID: traceID(r.Headers), bytes: len(r.Value)}
	s.editedBy, _ = header.List(r.Headers).Get(header.EditedBy)
	w.Body, w.Request = nil, nil
	return s, nil
}

func newPublished(r *kgo.Record) (*published, error) {
	e, err := record.ParseEvent(r)
	if err != nil {
		return nil, err
	}
	p := &published{
		Event: e, at: record.PositionOf(r), written: r.Timestamp, gone: r.Timestamp.IsZero(), traceID: traceID(r.Headers), bytes: len(r.Value),
		producerID: r.ProducerID, producerEpoch: r.ProducerEpoch,
	}
	p.transactionID, _ = header.List(r.Headers).Get(header.TransactionID)
	e.Value = nil
	return p, nil
}

// failedRecord is the record that a dead letter was made of, as far as it is kept.
func failedRecord(l *letters.Letter) *kgo.Record {
	return &kgo.Record{
		Topic: l.Failed.Topic, Partition: l.Failed.Partition, Offset: l.Failed.Offset,
		Key: l.Key, Value: l.Value, Headers: l.Headers, ProducerID: -1, ProducerEpoch: -1,
	}
}

// traceID is the trace in a W3C traceparent, or "".
// https://www.w3.org/TR/trace-context/#traceparent-header
func traceID(h header.List) string {
	parent, _ := h.Get(header.TraceParent)
	parts := strings.Split(parent, "-")
	if len(parts) < 4 || !tracePattern.MatchString(parts[1]) {
		return ""
	}
	return parts[1]
}
