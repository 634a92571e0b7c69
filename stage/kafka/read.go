// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Partitions selects partitions by topic; a topic with none means all of it.
type Partitions map[string][]int32

// Bounds of a fetch, of which there is one in use and one under way. A batch that is
// larger is still fetched, alone.
const (
	// restoreAhead is that of whoever restores: a changelog's few large records take
	// hardly more once they are read.
	restoreAhead = 2 << 20
	// lookAhead is that of whoever looks. Small records that resemble each other, as
	// dead letters do, take thirty times as much once they are decompressed and
	// parsed, so this is what bounds an operator's tool.
	lookAhead = 256 << 10
)

// ReadToEnd gives each every committed record of the partitions, from their
// beginning to the high watermark at the time of the call, in order within a
// partition. Open transactions below the watermark are waited out: stopping at
// the last stable offset would miss one whose offsets are already visible
// elsewhere. It returns each's error at once, and any error of a fetch that the
// client does not recover from: waiting on would be without end.
func (c *Config) ReadToEnd(ctx context.Context, clientID string, log *slog.Logger, parts Partitions, each func(*kgo.Record) error) error {
	return c.read(ctx, clientID, log, &reader{parts: parts, ahead: restoreAhead}, each)
}

// ReadCommitted is ReadToEnd for whoever only looks: it waits for open
// transactions for a second only, as one may be that of a process that died, and
// leaves out what is behind them. What was committed before the call is there:
// Kafka answers a commit before its markers are written, which takes milliseconds.
func (c *Config) ReadCommitted(ctx context.Context, clientID string, log *slog.Logger, parts Partitions, each func(*kgo.Record) error) error {
	return c.ReadDecided(ctx, clientID, log, parts, func(Range) {}, each)
}

// ReadDecided is ReadCommitted that first tells, by its range of offsets, what of
// each partition it leaves out because a transaction is open.
func (c *Config) ReadDecided(ctx context.Context, clientID string, log *slog.Logger, parts Partitions, undecided func(Range), each func(*kgo.Record) error) error {
	return c.read(ctx, clientID, log, &reader{parts: parts, ahead: lookAhead, undecided: undecided}, each)
}

// Range is a part of a partition: the offsets from From to before To.
type Range struct {
	Topic     string
	Partition int32
	From, To  int64
}

// ReadRanges is ReadToEnd for parts of partitions, one range a partition. What
// retention deleted of a range is left out.
func (c *Config) ReadRanges(ctx context.Context, clientID string, log *slog.Logger, ranges []Range, each func(*kgo.Record) error) error {
	r := &reader{parts: Partitions{}, ahead: lookAhead, from: map[tp]int64{}, ends: map[tp]int64{}}
	for _, part := range ranges {
		if part.From >= part.To {
			continue
		}
		p := tp{part.Topic, part.Partition}
		r.parts[p.topic] = append(r.parts[p.topic], p.partition)
		r.from[p], r.ends[p] = part.From, part.To
	}
	if len(r.ends) == 0 {
		return nil
	}
	return c.read(ctx, clientID, log, r, each)
}

func (c *Config) read(ctx context.Context, clientID string, log *slog.Logger, r *reader, each func(*kgo.Record) error) error {
	client, err := c.NewClient(clientID, log,
		kgo.KeepControlRecords(), // the position must move over transaction markers
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.FetchMaxBytes(r.ahead), kgo.FetchMaxPartitionBytes(r.ahead/2),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	r.admin = kadm.NewClient(client)
	if err := r.open(ctx); err != nil {
		return err
	}
	client.AddConsumePartitions(r.start())
	for len(r.ends) > 0 {
		if err := r.poll(ctx, client, each); err != nil {
			return err
		}
	}
	return nil
}

type tp struct {
	topic     string
	partition int32
}

// reader knows how far each partition is still to be read.
type reader struct {
	admin *kadm.Client
	parts Partitions
	// ahead bounds a fetch, in bytes.
	ahead int32
	// undecided is told of what transactions leave open, where the reader stops;
	// where it is nil, they are waited for.
	undecided func(Range)
	// from and ends are where to begin, or at the start, and where to stop.
	from, ends map[tp]int64
}

func (r *reader) topics() []string {
	var names []string
	for t := range r.parts {
		names = append(names, t)
	}
	return names
}

func (r *reader) wants(t string, p int32) bool {
	only := r.parts[t]
	for _, o := range only {
		if o == p {
			return true
		}
	}
	return len(only) == 0
}

// open takes the ends of the partitions, unless they are given.
func (r *reader) open(ctx context.Context) error {
	if r.ends != nil {
		return r.skipDeleted(ctx)
	}
	var err error
	if r.ends, err = r.list(ctx, r.admin.ListEndOffsets); err != nil {
		return err
	}
	if r.undecided != nil {
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	return r.skipDeleted(ctx)
}

// list asks for the ends of the partitions.
func (r *reader) list(ctx context.Context, ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[tp]int64, error) {
	listed, err := ask(ctx, r.topics()...)
	if err := errors.Join(err, listed.Error()); err != nil {
		return nil, Classify(fmt.Errorf("list end offsets: %w", err))
	}
	ends := map[tp]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if r.wants(o.Topic, o.Partition) {
			ends[tp{o.Topic, o.Partition}] = o.Offset
		}
	})
	return ends, nil
}

// How long settle waits for open transactions, and how often it looks.
const (
	settlePatience = time.Second
	settleTick     = 20 * time.Millisecond
)

// settle waits until everything before the ends is decided, and takes back the
// ends of the partitions where that takes too long.
func (r *reader) settle(ctx context.Context) error {
	tick := time.NewTicker(settleTick)
	defer tick.Stop()
	for deadline := time.Now().Add(settlePatience); ; {
		stable, err := r.list(ctx, r.admin.ListCommittedOffsets)
		if err != nil {
			return err
		}
		open := false
		for p, end := range r.ends {
			open = open || stable[p] < end
		}
		if !open || time.Now().After(deadline) {
			for p, end := range r.ends {
				if stable[p] < end {
					r.undecided(Range{p.topic, p.partition, stable[p], end})
					r.ends[p] = stable[p]
				}
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// skipDeleted ends partitions in which nothing is left before the end:
// empty ones, and those that retention emptied meanwhile.
func (r *reader) skipDeleted(ctx context.Context) error {
	starts, err := r.admin.ListStartOffsets(ctx, r.topics()...)
	if err := errors.Join(err, starts.Error()); err != nil {
		return Classify(fmt.Errorf("list start offsets: %w", err))
	}
	starts.Each(func(o kadm.ListedOffset) {
		if end, ok := r.ends[tp{o.Topic, o.Partition}]; ok && o.Offset >= end {
			delete(r.ends, tp{o.Topic, o.Partition})
		}
	})
	return nil
}

func (r *reader) start() map[string]map[int32]kgo.Offset {
	m := map[string]map[int32]kgo.Offset{}
	for p := range r.ends {
		if m[p.topic] == nil {
			m[p.topic] = map[int32]kgo.Offset{}
		}
		m[p.topic][p.partition] = kgo.NewOffset().AtStart()
		if from, ok := r.from[p]; ok {
			m[p.topic][p.partition] = kgo.NewOffset().At(from)
		}
	}
	return m
}

// readPatience is how long a poll may stay empty before the log's start is
// looked at again.
const readPatience = 2 * time.Second

func (r *reader) poll(ctx context.Context, client *kgo.Client, each func(*kgo.Record) error) error {
	pollCtx, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	fetches := client.PollFetches(pollCtx)
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, e := range fetches.Errors() {
		if err := FetchError(e); err != nil {
			return err
		}
	}
	var err error
	fetches.EachRecord(func(rec *kgo.Record) {
		if err == nil {
			err = r.record(client, rec, each)
		}
	})
	if err != nil {
		return err
	}
	if fetches.NumRecords() == 0 {
		return r.skipDeleted(ctx)
	}
	return nil
}

func (r *reader) record(client *kgo.Client, rec *kgo.Record, each func(*kgo.Record) error) error {
	p := tp{rec.Topic, rec.Partition}
	end, open := r.ends[p]
	if !open {
		return nil
	}
	if rec.Offset < end && !rec.Attrs.IsControl() {
		if err := each(rec); err != nil {
			return err
		}
	}
	if rec.Offset >= end-1 {
		delete(r.ends, p)
		client.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	}
	return nil
}
