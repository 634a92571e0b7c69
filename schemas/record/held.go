// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
)

// Held is a raw record that transform holds: its definition fails for most of its
// kind, or an earlier record of its key is held.
type Held struct {
	// Raw is the record as it was read, its place included.
	Raw *kgo.Record
	// Since is when it was held first.
	Since time.Time
	// Reason is what the record fails with, or "" where it only waits for
	// earlier ones of its key.
	Reason reason.Code
	// Message is for the operator.
	Message string
}

// maxHeldMessage bounds why a record is held.
const maxHeldMessage = 512

// Record is the Kafka record of h for the topic of held records, which is
// co-partitioned with the raw topic. Its key is its own, so that compaction keeps
// it until it is released; the raw record's is in a header.
func (h *Held) Record(held string) *kgo.Record {
	raw := h.Raw
	l := header.List(raw.Headers)
	l.DeleteFunc(header.IsHeld)
	l.Add(header.HeldTopic, raw.Topic)
	l.Add(header.HeldPartition, header.FormatInt(raw.Partition))
	l.Add(header.HeldOffset, header.FormatInt(raw.Offset))
	l.Add(header.HeldKey, string(raw.Key))
	l.Add(header.HeldSince, header.FormatTime(h.Since))
	l.AddSet(header.HeldReason, string(h.Reason))
	l.AddSet(header.HeldMessage, truncate(h.Message, maxHeldMessage))
	// The time makes it another record than one that the raw topic, made anew, had
	// at the same offset.
	key := PositionOf(raw).String() + "@" + header.FormatTime(h.Since)
	value := raw.Value
	if value == nil {
		value = []byte{} // without a value it would be a release
	}
	return &kgo.Record{
		Topic: held, Partition: raw.Partition, Key: []byte(key), Value: value, Headers: l, Timestamp: raw.Timestamp,
	}
}

// Release is the tombstone of a held record that was read back.
func Release(held *kgo.Record) *kgo.Record {
	return &kgo.Record{Topic: held.Topic, Partition: held.Partition, Key: held.Key}
}

// ParseHeld reads a record of the topic of held records; nil is a release of the one
// with the same key.
func ParseHeld(r *kgo.Record) (*Held, error) {
	f := fields{headers: r.Headers}
	if _, held := f.headers.Get(header.HeldTopic); !held && len(r.Value) == 0 {
		return nil, nil
	}
	h := &Held{
		Since:   f.time(header.HeldSince, true),
		Reason:  reason.Code(f.optional(header.HeldReason)),
		Message: f.optional(header.HeldMessage),
	}
	topic, key := f.required(header.HeldTopic), f.optional(header.HeldKey)
	f.required(header.HeldPartition)
	f.required(header.HeldOffset)
	if f.err != nil {
		return nil, fmt.Errorf("held record at %s: %w", PositionOf(r), f.err)
	}
	from, err := parsePosition(f.headers, topic, header.HeldPartition, header.HeldOffset)
	if err != nil {
		return nil, fmt.Errorf("held record at %s: %w", PositionOf(r), err)
	}
	l := header.List(r.Headers)
	l.DeleteFunc(func(name string) bool { return header.IsHeld(name) || name == header.TransactionID })
	h.Raw = &kgo.Record{
		Topic: from.Topic, Partition: from.Partition, Offset: from.Offset,
		Key: []byte(key), Value: r.Value, Headers: l, Timestamp: r.Timestamp,
	}
	return h, nil
}
