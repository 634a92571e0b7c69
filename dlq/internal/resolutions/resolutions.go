// SPDX-License-Identifier: Apache-2.0

// Package resolutions reads what became of dead letters.
package resolutions

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Open is the status of a dead letter without a resolution.
const Open = "open"

// Map holds the resolutions that are in force by dead letter id. A dead letter
// that is not in it is open.
type Map map[string]*record.Resolution

// Status is open, or what was done.
func (m Map) Status(id string) string {
	if r, ok := m[id]; ok {
		return string(r.Action)
	}
	return Open
}

// Read reads the compacted topic up to its high watermark at the time of the
// call. The last record of an id counts; a tombstone takes a resolution back.
//
// A record that cannot be read is an error: to take its dead letter for open
// could send it twice.
func Read(ctx context.Context, cfg *kafka.Config, log *slog.Logger) (Map, error) {
	m := Map{}
	err := cfg.ReadToEnd(ctx, "hookstream-dlq", log, kafka.Partitions{cfg.Topics.Resolutions: nil}, func(r *kgo.Record) error {
		res, err := record.ParseResolution(r)
		switch {
		case err != nil:
			return fmt.Errorf("%w: only dlq writes this topic; find who wrote this record, then write a record with its key and a null value", err)
		case res == nil:
			delete(m, string(r.Key))
		default:
			m[res.DeadLetterID] = res
		}
		return nil
	})
	return m, err
}
