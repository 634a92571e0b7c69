// SPDX-License-Identifier: Apache-2.0

// Package event is the canonical model: the entities, their Avro schemas, and
// the events that travel on events.<entity>.v1.
package event

import (
	"cmp"
	"iter"
	"time"
)

// Event is a snapshot of one entity at one version. Fields that are absent are
// unknown, unless their field group is among Meta.Groups: a group is always
// whole, so there null means null.
type Event struct {
	// Entity names the schema: payment, customer, …
	Entity string
	// ID of the entity: the business key, or the business key, a slash and a
	// suffix without slashes.
	ID   string
	Meta Meta
	// Fields are the values of the entity's fields, in the order of Entity.Fields:
	// string, int64, bool, float64, time.Time, []string or map[string]string, as the
	// schema says; nil is null, and so is what is missing at the end.
	Fields []any
}

// Field is the value of the entity's field of that name, or nil.
func (ev *Event) Field(name string) any {
	if f, ok := ev.field(name); ok {
		return ev.Value(f)
	}
	return nil
}

// Value is the value of a field of the event's entity, or nil.
func (ev *Event) Value(f *Field) any { return ev.at(f.Index) }

// SetField sets the entity's field of that name, if it has one.
func (ev *Event) SetField(name string, v any) {
	f, ok := ev.field(name)
	if !ok {
		return
	}
	for len(ev.Fields) <= f.Index {
		ev.Fields = append(ev.Fields, nil)
	}
	ev.Fields[f.Index] = v
}

// Named gives the fields that are not null by their names, in order.
func (ev *Event) Named() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		e, ok := Lookup(ev.Entity)
		if !ok {
			return
		}
		for i := range e.Fields {
			if v := ev.at(i); v != nil && !yield(e.Fields[i].Name, v) {
				return
			}
		}
	}
}

func (ev *Event) field(name string) (*Field, bool) {
	e, ok := Lookup(ev.Entity)
	if !ok {
		return nil, false
	}
	return e.Field(name)
}

// at is the value of the field with that index.
func (ev *Event) at(index int) any {
	if index < len(ev.Fields) {
		return ev.Fields[index]
	}
	return nil
}

// Meta is the record that every event carries.
type Meta struct {
	EventID     string
	EventType   string
	Provider    string
	Tenant      string
	BusinessKey string
	// OccurredAt is zero where the provider gives no time.
	OccurredAt    time.Time
	ReceivedAt    time.Time
	Version       Version
	CorrelationID string
	RawTopic      string
	RawPartition  int32
	RawOffset     int64
	Deleted       bool
	// Groups are the field groups that the event is a snapshot of; nil means
	// all of the entity's.
	Groups []string
}

// Version orders the events of one entity.
type Version struct {
	// Order is the provider's time in microseconds since the epoch, or its
	// sequence number.
	Order int64
	// Generation counts migrations of the raw topic's partitions, from 1.
	Generation int32
	// Offset is the raw record's first offset.
	Offset int64
	// Revision of the definition that mapped the event.
	Revision int32
}

// Compare is negative, zero or positive as v is older than, equal to or newer
// than o.
func (v Version) Compare(o Version) int {
	return cmp.Or(
		cmp.Compare(v.Order, o.Order),
		cmp.Compare(v.Generation, o.Generation),
		cmp.Compare(v.Offset, o.Offset),
		cmp.Compare(v.Revision, o.Revision),
	)
}
