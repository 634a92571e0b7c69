// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// This file reads what encode.go writes, and whatever else is valid Avro under the
// same schema, for the same reason: a library's map of any costs several times as
// much. Data of other writer schemas is the library's to read and resolve.

// decode reads one event under e's own schema.
func (e *Entity) decode(src []byte) (*Event, error) {
	// All strings of the event are parts of one.
	r := &reader{rest: string(src)}
	ev := &Event{Entity: e.Name}
	r.meta(&ev.Meta)
	ev.ID = r.text()
	ev.Fields = make([]any, len(e.Fields))
	for i := range e.Fields {
		ev.Fields[i] = r.field(&e.Fields[i])
	}
	if r.err == nil && r.rest != "" {
		r.err = fmt.Errorf("%d bytes after the record", len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode %s: %w", e.Name, r.err)
	}
	return ev, nil
}

// reader reads Avro binary (Avro 1.12, "Binary Encoding"). After the first error it
// reads nothing but zeros.
type reader struct {
	rest string
	err  error
}

var (
	errShort  = errors.New("the data ends within a value")
	errLong   = errors.New("a number has more bits than its type")
	errLength = errors.New("a length is negative or beyond the data")
	errBranch = errors.New("a union has no such branch")
)

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = ""
}

// meta reads the fields that appendMeta writes, in its order.
func (r *reader) meta(m *Meta) {
	for _, s := range []*string{&m.EventID, &m.EventType, &m.Provider, &m.Tenant, &m.BusinessKey} {
		*s = r.text()
	}
	if r.branch() {
		m.OccurredAt = r.time()
	}
	m.ReceivedAt = r.time()
	m.Version.Order = r.long()
	m.Version.Generation = r.int()
	m.Version.Offset = r.long()
	m.Version.Revision = r.int()
	m.CorrelationID = r.text()
	m.RawTopic = r.text()
	m.RawPartition = r.int()
	m.RawOffset = r.long()
	m.Deleted = r.boolean()
	if r.branch() {
		m.Groups = r.strings()
	}
}

// field reads one field's value as Event documents it; null is nil.
func (r *reader) field(f *Field) any {
	if f.nullable && !r.branch() {
		return nil
	}
	switch f.Kind {
	case Long:
		return r.long()
	case Boolean:
		return r.boolean()
	case Double:
		return r.double()
	case Timestamp:
		return r.time()
	case StringArray:
		return r.strings()
	case StringMap:
		return r.stringMap()
	}
	return r.text()
}

// branch reports whether a union of null and another type holds the other.
func (r *reader) branch() bool {
	switch r.long() {
	case 0:
		return false
	case 1:
		return true
	}
	r.fail(errBranch)
	return false
}

// long reads a zig-zag varint.
func (r *reader) long() int64 {
	var u uint64
	for i := range len(r.rest) {
		b := r.rest[i]
		if i == binary.MaxVarintLen64-1 && b > 1 {
			r.fail(errLong)
			return 0
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			r.rest = r.rest[i+1:]
			return int64(u>>1) ^ -int64(u&1)
		}
	}
	r.fail(errShort)
	return 0
}

func (r *reader) int() int32 {
	n := r.long()
	if int64(int32(n)) != n { //nolint:gosec // that is what is asked
		r.fail(errLong)
	}
	return int32(n) //nolint:gosec // as above
}

func (r *reader) text() string {
	n := r.long()
	if n < 0 || n > int64(len(r.rest)) {
		r.fail(errLength)
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) boolean() bool {
	if r.rest == "" {
		r.fail(errShort)
		return false
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b == 1
}

func (r *reader) double() float64 {
	if len(r.rest) < 8 {
		r.fail(errShort)
		return 0
	}
	bits := binary.LittleEndian.Uint64([]byte(r.rest[:8]))
	r.rest = r.rest[8:]
	return math.Float64frombits(bits)
}

func (r *reader) time() time.Time { return time.UnixMicro(r.long()).UTC() }

// block reads how many items follow; 0 ends an array or a map. A negative count is
// followed by the block's size in bytes, which is for those who skip it.
func (r *reader) block() int {
	n := r.long()
	if n < 0 {
		if n = -n; r.long() < 0 {
			n = -1
		}
	}
	if n < 0 || n > int64(len(r.rest)) { // each item takes a byte at least
		r.fail(errLength)
		return 0
	}
	return int(n)
}

func (r *reader) strings() []string {
	list := []string{}
	for n := r.block(); n > 0; n = r.block() {
		for range n {
			list = append(list, r.text())
		}
	}
	return list
}

func (r *reader) stringMap() map[string]string {
	m := map[string]string{}
	for n := r.block(); n > 0; n = r.block() {
		for range n {
			k := r.text()
			m[k] = r.text()
		}
	}
	return m
}
