// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// scope is a topic, or some of its partitions, and a span of time.
type scope struct {
	topic string
	// partitions; none are all.
	partitions []int32
	since      time.Time
	until      time.Time
	// at is the only record to read, if it is not nil.
	at *record.Position
}

// slack widens a span of time: records carry the clocks of those who wrote them.
const slack = time.Minute

// readers is how many connections read at once. Each holds some MiB of records.
const readers = 4

// scan gives each the committed records of the scopes, one at a time and in no
// order. It does not wait for transactions that are open.
func (s *Search) scan(ctx context.Context, scopes []scope, each func(*kgo.Record) error) error {
	ranges, err := s.ranges(ctx, scopes)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	one := func(r *kgo.Record) error {
		mu.Lock()
		defer mu.Unlock()
		s.looked.read(r.Topic)
		if s.Progress != nil {
			s.Progress(s.looked.records)
		}
		return each(r)
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, share := range shares(ranges) {
		g.Go(func() error { return s.Kafka.ReadRanges(ctx, clientID, s.Log, share, one) })
	}
	return g.Wait()
}

const clientID = "hookstream-trace"

// shares deals the ranges out to the readers, the longest first and each to the
// one that has the least.
func shares(ranges []kafka.Range) [][]kafka.Range {
	slices.SortFunc(ranges, func(a, b kafka.Range) int { return cmp.Compare(b.To-b.From, a.To-a.From) })
	out := make([][]kafka.Range, min(readers, len(ranges)))
	load := make([]int64, len(out))
	for _, r := range ranges {
		least := 0
		for i := range load {
			if load[i] < load[least] {
				least = i
			}
		}
		out[least] = append(out[least], r)
		load[least] += r.To - r.From
	}
	return out
}

// ranges turns scopes into offsets.
func (s *Search) ranges(ctx context.Context, scopes []scope) ([]kafka.Range, error) {
	var out []kafka.Range
	for _, c := range scopes {
		from, err := s.offsets(ctx, c.topic, c.since, s.admin.ListStartOffsets)
		if err != nil {
			return nil, err
		}
		to, err := s.offsets(ctx, c.topic, time.Time{}, s.admin.ListCommittedOffsets)
		if err != nil {
			return nil, err
		}
		before := to
		if !c.until.IsZero() {
			if before, err = s.offsets(ctx, c.topic, c.until, nil); err != nil {
				return nil, err
			}
		}
		for p, start := range from {
			if len(c.partitions) == 0 || slices.Contains(c.partitions, p) {
				s.looked.partition(c.topic, p)
				out = append(out, c.narrow(kafka.Range{Topic: c.topic, Partition: p, From: start, To: min(to[p], before[p])}))
			}
		}
	}
	return out, nil
}

func (c *scope) narrow(r kafka.Range) kafka.Range {
	if c.at != nil {
		r.From, r.To = max(r.From, c.at.Offset), min(r.To, c.at.Offset+1)
	}
	return r
}

// lister lists one kind of offset.
type lister func(context.Context, ...string) (kadm.ListedOffsets, error)

// offsets are those of a time, or what otherwise lists where it is zero.
func (s *Search) offsets(ctx context.Context, topic string, at time.Time, otherwise lister) (map[int32]int64, error) {
	list := otherwise
	if !at.IsZero() {
		list = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return s.admin.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topics...)
		}
	}
	listed, err := list(ctx, topic)
	if err := errors.Join(err, listed.Error()); err != nil {
		return nil, kafka.Classify(fmt.Errorf("list offsets of %s: %w", topic, err))
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}

// looked counts what was read.
type looked struct {
	topics  map[string]*Looked
	parts   map[string]map[int32]bool
	records int64
}

func (l *looked) partition(topic string, p int32) {
	if l.topics[topic] == nil {
		l.topics[topic], l.parts[topic] = &Looked{Topic: topic}, map[int32]bool{}
	}
	l.parts[topic][p] = true
	l.topics[topic].Partitions = len(l.parts[topic])
}

func (l *looked) read(topic string) {
	l.records++
	l.topics[topic].Records++
}

func (l *looked) list() []*Looked {
	all := make([]*Looked, 0, len(l.topics))
	for _, t := range l.topics {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *Looked) int { return cmp.Compare(a.Topic, b.Topic) })
	return all
}
