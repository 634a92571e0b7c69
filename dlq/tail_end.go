// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
)

// from is where the tail begins, and where it ends if it does. One that ends
// reads the partitions of now.
func (c *tailCommand) from(s *session) (*tailEnd, []kgo.Opt, error) {
	if c.Until.IsZero() && c.ToOffset == 0 {
		from := kgo.NewOffset().AtEnd()
		if !c.Since.IsZero() {
			from = kgo.NewOffset().AfterMilli(c.Since.UnixMilli())
		}
		return nil, []kgo.Opt{kgo.ConsumeTopics(s.cfg.Topics.DeadLetters), kgo.ConsumeStartOffset(from)}, nil
	}
	e := &tailEnd{topic: s.cfg.Topics.DeadLetters, admin: kadm.NewClient(s.client), until: c.Until.Time, partitions: c.Partition}
	ask := e.admin.ListEndOffsets
	if !c.Since.IsZero() {
		ask = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return e.admin.ListOffsetsAfterMilli(ctx, c.Since.UnixMilli(), topics...)
		}
	}
	var err error
	if e.next, err = e.list(s.ctx, ask); err != nil {
		return nil, nil, err
	}
	begin := map[int32]kgo.Offset{}
	for p, offset := range e.next {
		begin[p] = kgo.NewOffset().At(offset)
		if c.ToOffset > 0 {
			e.stop(p, c.ToOffset)
		}
	}
	return e, []kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{e.topic: begin}),
		kgo.KeepControlRecords(), // the position must move over transaction markers
	}, nil
}

// tailEnd is where a tail ends; nil is that of one without an end.
type tailEnd struct {
	topic      string
	admin      *kadm.Client
	partitions []int32 // none means all
	// until is when what is there is the rest; zero once that is known, or
	// where only offsets end the tail.
	until time.Time
	// next are the offsets to be read next, ends those to stop before, of the
	// partitions that are still to be read. Ends is nil until one is known.
	next, ends map[int32]int64
}

// list asks for an offset of each partition that is tailed.
func (e *tailEnd) list(ctx context.Context, ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := ask(ctx, e.topic)
	if err := errors.Join(err, listed.Error()); err != nil {
		return nil, kafka.Classify(fmt.Errorf("list the offsets of %s: %w", e.topic, err))
	}
	offsets := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if len(e.partitions) == 0 || slices.Contains(e.partitions, o.Partition) {
			offsets[o.Partition] = o.Offset
		}
	})
	return offsets, nil
}

// stop ends a partition before an offset, or where it ends already.
func (e *tailEnd) stop(p int32, end int64) {
	if e.ends == nil {
		e.ends = map[int32]int64{}
	}
	next, reading := e.next[p]
	if before, ok := e.ends[p]; ok {
		end = min(end, before)
	}
	switch {
	case !reading:
	case next >= end:
		delete(e.next, p)
		delete(e.ends, p)
	default:
		e.ends[p] = end
	}
}

// passed moves the position of a partition over a record.
func (e *tailEnd) passed(r *kgo.Record) {
	if e == nil {
		return
	}
	if _, reading := e.next[r.Partition]; !reading {
		return
	}
	e.next[r.Partition] = r.Offset + 1
	if end, ok := e.ends[r.Partition]; ok {
		e.stop(r.Partition, end)
	}
}

// reached reports whether nothing is left to read.
func (e *tailEnd) reached() bool { return e != nil && len(e.next) == 0 }

// poll fetches what comes, and takes the ends of the partitions when it is time.
// Transactions that are open then are waited for.
func (e *tailEnd) poll(ctx context.Context, client *kgo.Client) (kgo.Fetches, error) {
	if e == nil || e.until.IsZero() {
		return client.PollFetches(ctx), nil
	}
	if time.Now().Before(e.until) {
		ctx, cancel := context.WithDeadline(ctx, e.until)
		defer cancel()
		return client.PollFetches(ctx), nil
	}
	e.until = time.Time{}
	ends, err := e.list(ctx, e.admin.ListEndOffsets)
	for p, end := range ends {
		e.stop(p, end)
	}
	return nil, err
}
