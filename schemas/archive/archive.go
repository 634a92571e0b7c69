// SPDX-License-Identifier: Apache-2.0

// Package archive writes Kafka records as lines of JSON that hold every byte of
// them, and reads them back. It is the format of dlq export.
package archive

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Version of the lines.
const Version = 1

// Line is one record. Bytes are in base64, as encoding/json writes them; nil stays
// null.
type Line struct {
	Version int `json:"version"`
	// ID is a dead letter's; other records have none.
	ID        string    `json:"id,omitempty"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"`
	Key       []byte    `json:"key"`
	Value     []byte    `json:"value"`
	Headers   []Header  `json:"headers"`
}

// Header is a record header.
type Header struct {
	Name  string `json:"name"`
	Value []byte `json:"value"`
}

// Of is a record's line.
func Of(id string, r *kgo.Record) *Line {
	l := &Line{
		Version: Version, ID: id, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp.UTC(), Key: r.Key, Value: r.Value, Headers: []Header{},
	}
	for _, h := range r.Headers {
		l.Headers = append(l.Headers, Header{h.Key, h.Value})
	}
	return l
}

// Record is what the line was made of.
func (l *Line) Record() *kgo.Record {
	r := &kgo.Record{
		Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, Timestamp: l.Timestamp, Key: l.Key, Value: l.Value,
		Headers: make([]kgo.RecordHeader, 0, len(l.Headers)),
	}
	for _, h := range l.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
	}
	return r
}

// Write writes the line.
func (l *Line) Write(w io.Writer) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// maxLine bounds a line: the largest record that Kafka is set up for, in base64.
const maxLine = 256 << 20

// Read gives each line, in their order; empty ones are skipped. An error names the
// line, be it each's or of reading.
func Read(in io.Reader, each func(*Line) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		l, err := parse(lines.Bytes())
		if err == nil {
			err = each(l)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func parse(text []byte) (*Line, error) {
	l := &Line{}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, err
	}
	if l.Version != Version {
		return nil, fmt.Errorf("version %d, want %d: not written by dlq export, or by a newer one", l.Version, Version)
	}
	return l, nil
}
