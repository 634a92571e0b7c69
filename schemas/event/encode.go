// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// This file writes Avro binary (Avro 1.12, "Binary Encoding") straight from an Event,
// because encoding is on the hot path and a map of any for a library to walk costs
// several times as much. Reading, resolution and compatibility are the library's.

// AppendEncode appends the Avro binary encoding of ev under e's schema.
func (e *Entity) AppendEncode(dst []byte, ev *Event) ([]byte, error) {
	out := appendMeta(slices.Grow(dst, e.encodedSize(ev)), &ev.Meta)
	out = appendString(out, ev.ID)
	for i := range e.Fields {
		f := &e.Fields[i]
		var err error
		if out, err = f.append(out, ev.at(i)); err != nil {
			return dst, fmt.Errorf("encode %s %s: field %s: %w", e.Name, ev.ID, f.Name, err)
		}
	}
	return out, nil
}

// encodedSize is about what ev takes, so that it is allocated once.
func (e *Entity) encodedSize(ev *Event) int {
	const meta, scalar = 512, 10
	n := meta + len(e.Fields) + scalar*len(ev.Fields)
	for _, v := range ev.Fields {
		switch v := v.(type) {
		case string:
			n += len(v)
		case []string:
			for _, s := range v {
				n += len(s) + scalar
			}
		case map[string]string:
			for k, s := range v {
				n += len(k) + len(s) + 2*scalar
			}
		}
	}
	return n
}

// metaFields are Meta's fields in the order in which appendMeta writes them;
// newEntity holds the schema to it.
var metaFields = []string{
	"event_id", "event_type", "provider", "tenant", "business_key", "occurred_at", "received_at",
	"version", "correlation_id", "raw_topic", "raw_partition", "raw_offset", "deleted", "groups",
}

func appendMeta(dst []byte, m *Meta) []byte {
	for _, s := range []string{m.EventID, m.EventType, m.Provider, m.Tenant, m.BusinessKey} {
		dst = appendString(dst, s)
	}
	if m.OccurredAt.IsZero() {
		dst = appendNull(dst)
	} else {
		dst = appendLong(appendBranch(dst), m.OccurredAt.UnixMicro())
	}
	dst = appendLong(dst, m.ReceivedAt.UnixMicro())
	dst = appendLong(dst, m.Version.Order)
	dst = appendLong(dst, int64(m.Version.Generation))
	dst = appendLong(dst, m.Version.Offset)
	dst = appendLong(dst, int64(m.Version.Revision))
	dst = appendString(dst, m.CorrelationID)
	dst = appendString(dst, m.RawTopic)
	dst = appendLong(dst, int64(m.RawPartition))
	dst = appendLong(dst, m.RawOffset)
	dst = appendBool(dst, m.Deleted)
	if m.Groups == nil {
		return appendNull(dst)
	}
	return appendStrings(appendBranch(dst), m.Groups)
}

// append writes one field, which is null, or a map that may be empty, where v is nil.
func (f *Field) append(dst []byte, v any) ([]byte, error) {
	switch {
	case v == nil && f.nullable:
		return appendNull(dst), nil
	case v == nil && f.Kind == StringMap:
		return appendMap(dst, nil), nil
	case f.nullable:
		dst = appendBranch(dst)
	}
	switch v := v.(type) {
	case string:
		if f.Kind == String || f.Kind == JSON {
			return appendString(dst, v), nil
		}
	case int64:
		if f.Kind == Long {
			return appendLong(dst, v), nil
		}
	case bool:
		if f.Kind == Boolean {
			return appendBool(dst, v), nil
		}
	case float64:
		if f.Kind == Double {
			return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)), nil
		}
	case time.Time:
		if f.Kind == Timestamp {
			return appendLong(dst, v.UnixMicro()), nil
		}
	case []string:
		if f.Kind == StringArray {
			return appendStrings(dst, v), nil
		}
	case map[string]string:
		if f.Kind == StringMap {
			return appendMap(dst, v), nil
		}
	}
	return dst, fmt.Errorf("%T is no %s", v, f.Kind)
}

// appendNull and appendBranch choose between null, which comes first in all our
// unions, and the other type.
func appendNull(dst []byte) []byte   { return appendLong(dst, 0) }
func appendBranch(dst []byte) []byte { return appendLong(dst, 1) }

// appendLong writes an int or a long: both are zig-zag varints, as Go's are.
func appendLong(dst []byte, n int64) []byte { return binary.AppendVarint(dst, n) }

func appendString(dst []byte, s string) []byte {
	return append(appendLong(dst, int64(len(s))), s...)
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// appendStrings writes an array of strings as one block and the empty one that ends
// it.
func appendStrings(dst []byte, list []string) []byte {
	if len(list) > 0 {
		dst = appendLong(dst, int64(len(list)))
		for _, s := range list {
			dst = appendString(dst, s)
		}
	}
	return appendLong(dst, 0)
}

// fewKeys is how many keys of a map are sorted without allocating.
const fewKeys = 16

// sortedKeys appends the keys of m to keys, which is empty, in order.
func sortedKeys(keys []string, m map[string]string) []string {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// appendMap writes a map of strings in the order of its keys, so that equal events
// are equal bytes.
func appendMap(dst []byte, m map[string]string) []byte {
	if len(m) > 0 {
		var few [fewKeys]string
		dst = appendLong(dst, int64(len(m)))
		for _, k := range sortedKeys(few[:0], m) {
			dst = appendString(appendString(dst, k), m[k])
		}
	}
	return appendLong(dst, 0)
}
