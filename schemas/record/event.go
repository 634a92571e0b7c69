// SPDX-License-Identifier: Apache-2.0

package record

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/topic"
)

// AvroContentType is the media type of an event's value: the schema registry's
// wire format (a zero byte, the schema id, Avro binary).
const AvroContentType = "application/avro"

// Event is the envelope of an event record: what a consumer can read without
// decoding the value. The value's meta record says the same and more.
type Event struct {
	Entity        string
	Tenant        string
	Provider      string
	EventID       string
	EventType     string
	BusinessKey   string
	OccurredAt    time.Time
	ReceivedAt    time.Time
	CorrelationID string
	// EntityID is the id part of the record's key.
	EntityID string
	// Value is the Avro wire format.
	Value []byte

	// Origin is where the event was first written to Kafka; a replay keeps
	// it. Set by ParseEvent only.
	Origin      Position
	ReplayCount int
}

// EventRecord is the Kafka record of an event in CloudEvents binary mode.
// The value is e in wire format.
func EventRecord(eventsTopic string, e *event.Event, value []byte) *kgo.Record {
	m := &e.Meta
	h := headers{list: make(header.List, 0, 15), values: make([]byte, 0, 384)}
	h.add(header.SpecVersion, "1.0")
	h.add(header.ID, m.EventID)
	h.add(header.Source, source(m.Tenant, m.Provider))
	h.add(header.Type, m.EventType)
	h.addSet(header.Time, header.FormatTime(m.OccurredAt))
	h.add(header.PartitionKey, m.BusinessKey)
	h.add(header.CorrelationID, m.CorrelationID)
	h.add(header.ContentType, AvroContentType)
	h.add(header.RecordVersion, Version)
	h.add(header.Tenant, m.Tenant)
	h.add(header.Provider, m.Provider)
	h.add(header.Entity, e.Entity)
	h.add(header.ReceivedAt, header.FormatTime(m.ReceivedAt))
	return &kgo.Record{
		Topic:   eventsTopic,
		Key:     topic.Key(m.Tenant, m.Provider, e.ID),
		Value:   value,
		Headers: h.list,
	}
}

// ParseEvent reads an event record's envelope, from an event topic or from the
// sink's replay topic.
func ParseEvent(r *kgo.Record) (*Event, error) {
	f := fields{headers: r.Headers}
	e := &Event{
		Entity:        f.required(header.Entity),
		Tenant:        f.required(header.Tenant),
		Provider:      f.required(header.Provider),
		EventID:       f.required(header.ID),
		EventType:     f.required(header.Type),
		BusinessKey:   f.required(header.PartitionKey),
		OccurredAt:    f.time(header.Time, false),
		ReceivedAt:    f.time(header.ReceivedAt, true),
		CorrelationID: f.required(header.CorrelationID),
		Value:         r.Value,
		ReplayCount:   int(f.int(header.ReplayCount, 32)),
	}
	if f.err != nil {
		return nil, f.err
	}
	var err error
	if e.EntityID, err = keyOf(r, e.Tenant, e.Provider); err != nil {
		return nil, err
	}
	e.Origin, err = originOf(r)
	return e, err
}
