// SPDX-License-Identifier: Apache-2.0

// Package stored reads single records, of Kafka or of an archive, and those that
// came in the same request.
package stored

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

const clientID = "hookstream-ingest-verify"

// around is how far from the time at which a request was received its records
// are looked for: they carry that time, unless the topic gives them the broker's.
const around = time.Minute

// Reader reads from one cluster.
type Reader struct {
	cfg   *kafka.Config
	log   *slog.Logger
	admin *kadm.Client
}

// NewReader connects to nothing yet.
func NewReader(cfg *kafka.Config, log *slog.Logger) (*Reader, error) {
	client, err := cfg.NewClient(clientID, log)
	if err != nil {
		return nil, err
	}
	return &Reader{cfg, log, kadm.NewClient(client)}, nil
}

// Close ends the connections.
func (r *Reader) Close() { r.admin.Close() }

// Record reads one record.
func (r *Reader) Record(ctx context.Context, at record.Position) (*kgo.Record, error) {
	starts, err1 := r.admin.ListStartOffsets(ctx, at.Topic)
	ends, err2 := r.admin.ListCommittedOffsets(ctx, at.Topic)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("read %s: %w", at, err)
	}
	start, ok1 := starts.Lookup(at.Topic, at.Partition)
	end, ok2 := ends.Lookup(at.Topic, at.Partition)
	if err := errors.Join(start.Err, end.Err); err != nil || !ok1 || !ok2 {
		return nil, fmt.Errorf("there is no partition %d of topic %s", at.Partition, at.Topic)
	}
	if at.Offset < start.Offset || at.Offset >= end.Offset {
		return nil, fmt.Errorf("partition %d of %s holds the offsets from %d to below %d", at.Partition, at.Topic, start.Offset, end.Offset)
	}
	var found *kgo.Record
	err := r.scan(ctx, at.Topic, map[int32]span{at.Partition: {at.Offset, at.Offset + 1}}, func(rec *kgo.Record) bool {
		found = rec
		return true
	})
	if err == nil && found == nil {
		err = fmt.Errorf("%s holds no record: it was aborted or is a transaction's marker", at)
	}
	return found, err
}

// Request reads all records that w's request was split into, w among them; of a
// batch of which some are gone, those that are there.
func (r *Reader) Request(ctx context.Context, topic string, w *record.Webhook) ([]*record.Webhook, error) {
	spans, err := r.spans(ctx, topic, w.ReceivedAt)
	if err != nil {
		return nil, err
	}
	var all []*record.Webhook
	err = r.scan(ctx, topic, spans, func(rec *kgo.Record) bool {
		if other := partOf(rec, w); other != nil {
			all = append(all, other)
		}
		return len(all) == w.Batch.Count
	})
	return all, err
}

// span is a range of offsets, the end exclusive.
type span struct{ from, to int64 }

// spans are the offsets of every partition around a time.
func (r *Reader) spans(ctx context.Context, topic string, at time.Time) (map[int32]span, error) {
	first, err1 := r.admin.ListOffsetsAfterMilli(ctx, at.Add(-around).UnixMilli(), topic)
	after, err2 := r.admin.ListOffsetsAfterMilli(ctx, at.Add(around).UnixMilli(), topic)
	ends, err3 := r.admin.ListCommittedOffsets(ctx, topic)
	if err := errors.Join(err1, err2, err3, first.Error(), after.Error(), ends.Error()); err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", topic, err)
	}
	spans := map[int32]span{}
	first.Each(func(o kadm.ListedOffset) {
		to, _ := after.Lookup(topic, o.Partition)
		end, _ := ends.Lookup(topic, o.Partition)
		if s := (span{o.Offset, min(to.Offset, end.Offset)}); s.from < s.to {
			spans[o.Partition] = s
		}
	})
	return spans, nil
}

// scan gives each the committed records of the spans until it returns true. An
// error is one that waiting does not mend, or ctx's end.
func (r *Reader) scan(ctx context.Context, topic string, spans map[int32]span, each func(*kgo.Record) bool) error {
	starts := map[int32]kgo.Offset{}
	for p, s := range spans {
		starts[p] = kgo.NewOffset().At(s.from)
	}
	client, err := r.cfg.NewClient(clientID, r.log,
		kgo.KeepControlRecords(), // the position must move over transaction markers
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))
	if err != nil {
		return err
	}
	defer client.Close()
	for done := false; !done && len(spans) > 0; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for _, e := range fetches.Errors() {
			if err := kafka.FetchError(e); err != nil {
				return err
			}
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			s, open := spans[rec.Partition]
			if open && !done && rec.Offset < s.to && !rec.Attrs.IsControl() {
				done = each(rec)
			}
			if rec.Offset >= s.to-1 {
				delete(spans, rec.Partition)
			}
		})
	}
	return nil
}
