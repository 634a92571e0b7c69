// SPDX-License-Identifier: Apache-2.0

// Package event is the canonical model: the entities, their Avro schemas, and
// the events that travel on events.<entity>.v1.
package event

import (
	"cmp"
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
	// Fields by name: string, int64, bool, float64, time.Time, []string or
	// map[string]string, as the schema says; nil or absent is null.
	Fields map[string]any
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
