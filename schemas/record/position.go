// SPDX-License-Identifier: Apache-2.0

// Package record translates between what travels (a webhook, an event, a dead
// letter, a resolution, a batch of fingerprints) and the Kafka record that
// carries it.
package record

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/topic"
)

// Version of the headers that this package writes.
const Version = "1"

// Position is where a record lies in Kafka.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// PositionOf is where r was read from.
func PositionOf(r *kgo.Record) Position {
	return Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}

// String is topic/partition/offset.
func (p Position) String() string {
	return p.Topic + "/" + strconv.Itoa(int(p.Partition)) + "/" + strconv.FormatInt(p.Offset, 10)
}

// keyOf is the id part of a record's key, whose other parts must be what the
// headers say.
func keyOf(r *kgo.Record, tenant, provider string) (string, error) {
	t, p, id, err := topic.ParseKey(r.Key)
	if err != nil {
		return "", err
	}
	if t != tenant || p != provider {
		return "", fmt.Errorf("record key %.100q is not of tenant %.40q and provider %.40q, which its headers name", r.Key, tenant, provider)
	}
	return id, nil
}

// originOf is the position that a replayed record was first written at, or
// the record's own.
func originOf(r *kgo.Record) (Position, error) {
	h := header.List(r.Headers)
	first, ok := h.Get(header.OriginTopic)
	if !ok {
		return PositionOf(r), nil
	}
	return parsePosition(h, first, header.OriginPartition, header.OriginOffset)
}

func parsePosition(h header.List, topic, partitionHeader, offsetHeader string) (Position, error) {
	partition, err := intHeader(h, partitionHeader, 32)
	if err != nil {
		return Position{}, err
	}
	offset, err := intHeader(h, offsetHeader, 64)
	if err != nil {
		return Position{}, err
	}
	if partition < 0 || offset < 0 {
		return Position{}, fmt.Errorf("headers %s and %s: a position is not negative", partitionHeader, offsetHeader)
	}
	return Position{Topic: topic, Partition: int32(partition), Offset: offset}, nil //nolint:gosec // parsed with 32 bits
}

// fields reads required and optional headers and keeps the first error.
type fields struct {
	headers header.List
	err     error
}

func (f *fields) required(name string) string {
	v, ok := f.headers.Get(name)
	if (!ok || v == "") && f.err == nil {
		f.err = fmt.Errorf("header %s is missing", name)
	}
	return v
}

func (f *fields) optional(name string) string {
	v, _ := f.headers.Get(name)
	return v
}

func (f *fields) time(name string, required bool) time.Time {
	read := f.optional
	if required {
		read = f.required
	}
	v := read(name)
	if v == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("header %s: %.40q is not an RFC 3339 time", name, v)
	}
	// The precision that FormatTime writes.
	t = t.UTC().Truncate(time.Microsecond)
	if err == nil && (t.IsZero() || t.Year() < 1 || t.Year() > 9999) && f.err == nil {
		f.err = fmt.Errorf("header %s: %.40q is outside the years that can be written", name, v)
	}
	return t
}

func (f *fields) int(name string, bits int) int64 {
	n, err := intHeader(f.headers, name, bits)
	if err != nil && f.err == nil {
		f.err = err
	}
	return n
}

// intHeader reads an integer header; one that is absent is 0.
func intHeader(h header.List, name string, bits int) (int64, error) {
	v, ok := h.Get(name)
	if !ok || v == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("header %s: %.40q is not an integer of %d bits", name, v, bits)
	}
	return n, nil
}
