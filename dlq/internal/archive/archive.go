// SPDX-License-Identifier: Apache-2.0

// Package archive writes dead letters as lines of JSON that hold every byte of
// them, and reads them back.
package archive

import (
	"errors"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/archive"
	"github.com/hookstream/hookstream/schemas/record"
)

// Write writes one dead letter.
func Write(w io.Writer, l *letters.Letter) error {
	line := archive.Of(l.ID, l.Raw)
	line.Topic, line.Partition, line.Offset = l.At.Topic, l.At.Partition, l.At.Offset
	return line.Write(w)
}

// Read gives each the records that were written, for topic, in their order.
// What is no dead letter is an error, and so is a line whose ID is not what its
// headers say.
func Read(in io.Reader, topic string, each func(id string, r *kgo.Record) error) error {
	return archive.Read(in, func(l *archive.Line) error {
		r := &kgo.Record{Topic: topic, Key: l.Key, Value: l.Value, Timestamp: l.Timestamp, Headers: l.Record().Headers}
		d, err := record.ParseDeadLetter(r)
		if err != nil {
			return err
		}
		if d.ID() != l.ID {
			return errors.New("the id is not what the headers say")
		}
		return each(l.ID, r)
	})
}
