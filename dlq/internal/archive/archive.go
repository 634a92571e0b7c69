// SPDX-License-Identifier: Apache-2.0

// Package archive writes dead letters as lines of JSON that hold every byte of
// them, and reads them back.
package archive

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
)

// Version of the lines.
const Version = 1

// Line is one record of the dead-letter topic. Bytes are in base64, as
// encoding/json writes them; nil stays null.
type Line struct {
	Version   int       `json:"version"`
	ID        string    `json:"id"`
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

// Write writes one dead letter.
func Write(w io.Writer, l *letters.Letter) error {
	line := Line{
		Version: Version, ID: l.ID, Topic: l.At.Topic, Partition: l.At.Partition, Offset: l.At.Offset,
		Timestamp: l.Raw.Timestamp.UTC(), Key: l.Raw.Key, Value: l.Raw.Value, Headers: []Header{},
	}
	for _, h := range l.Raw.Headers {
		line.Headers = append(line.Headers, Header{h.Key, h.Value})
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// maxLine bounds a line: the largest record that Kafka is set up for, in base64.
const maxLine = 256 << 20

// Read gives each the records that were written, for topic, in their order.
// What is no dead letter is an error, and so is a line whose ID is not what its
// headers say.
func Read(in io.Reader, topic string, each func(id string, r *kgo.Record) error) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		id, r, err := parse(lines.Bytes(), topic)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := each(id, r); err != nil {
			return err
		}
	}
	return lines.Err()
}

func parse(text []byte, topic string) (string, *kgo.Record, error) {
	var line Line
	if err := json.Unmarshal(text, &line); err != nil {
		return "", nil, err
	}
	if line.Version != Version {
		return "", nil, fmt.Errorf("version %d, want %d: not written by dlq export, or by a newer one", line.Version, Version)
	}
	r := &kgo.Record{Topic: topic, Key: line.Key, Value: line.Value, Timestamp: line.Timestamp, Headers: make(header.List, 0, len(line.Headers))}
	for _, h := range line.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
	}
	d, err := record.ParseDeadLetter(r)
	if err != nil {
		return "", nil, err
	}
	if d.ID() != line.ID {
		return "", nil, errors.New("the id is not what the headers say")
	}
	return line.ID, r, nil
}
