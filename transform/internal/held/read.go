// SPDX-License-Identifier: Apache-2.0

package held

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// UnknownProvider is the provider of a kind that no definition is of.
const UnknownProvider = "unknown"

// kindOf is the kind of a held record.
func kindOf(h *record.Held) (k breaker.Kind) {
	l := header.List(h.Raw.Headers)
	k.Tenant, _ = l.Get(header.Tenant)
	k.Provider, _ = l.Get(header.Provider)
	k.EventType, _ = l.Get(header.Type)
	if h.Reason == reason.UnknownProvider {
		k.Provider = UnknownProvider
	}
	return k
}

// Restore rebuilds what is held of partitions, up to the high watermark at the time of
// the call: it must be called after they were assigned. What was known of them is
// replaced. A record that is none of ours is Fatal.
func (s *Store) Restore(ctx context.Context, parts []kafka.Partition) error {
	var numbers []int32
	for _, p := range parts {
		if !slices.Contains(numbers, p.Partition) {
			numbers = append(numbers, p.Partition)
		}
	}
	all := map[string]found{}
	topic := s.cfg.Kafka.Topics.Held
	err := s.cfg.Kafka.ReadToEnd(ctx, s.cfg.ClientID+"-held", s.cfg.Log, kafka.Partitions{topic: numbers}, func(r *kgo.Record) error {
		crash.At(crash.InHeldRestore)
		h, err := parse(r)
		if err != nil {
			return err
		}
		if h == nil {
			delete(all, string(r.Key))
			return nil
		}
		if slices.Contains(parts, partitionOf(h.Raw)) {
			all[string(r.Key)] = find(h, kindOf(h), r.Offset)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.use(parts, all)
	return nil
}

func parse(r *kgo.Record) (*record.Held, error) {
	h, err := record.ParseHeld(r)
	if err != nil {
		return nil, failure.NewFatal("%w. Find who wrote it; delete it with a record of its key without a value", err)
	}
	return h, nil
}

// use replaces what is known of partitions.
func (s *Store) use(parts []kafka.Partition, all map[string]found) {
	s.Forget(parts)
	ordered := slices.SortedFunc(maps.Values(all), func(a, b found) int { return cmp.Compare(a.offset, b.offset) })
	for i := range ordered {
		s.add(&ordered[i])
	}
}

// Item is a held record that was read back.
type Item struct {
	// Raw is the record as it was when it was held, its place included.
	Raw *kgo.Record
	// Key stands for its key.
	Key uint64
	// Kind is that of the record when it was held, Cause whether it failed itself.
	Kind  breaker.Kind
	Cause bool

	part      kafka.Partition
	offset    int64
	tombstone *kgo.Record
}

// maxChunkBytes bounds the bodies that are read back at once. A larger record comes
// alone.
const maxChunkBytes = 8 << 20

// Chunk is a part of what is held of a partition.
type Chunk struct {
	Items []*Item
	// Next is where the next chunk begins.
	Next int64
	// Missing are records that somebody deleted.
	Missing []*Item
}

// Read reads back up to most records of a partition, from an offset of the topic of
// held records on.
func (s *Store) Read(ctx context.Context, p kafka.Partition, from int64, most int) (Chunk, error) {
	var entries []entry
	if l := s.parts[p]; l != nil {
		first, _ := l.find(from)
		entries = l.entries[first:]
	}
	entries = entries[:chunk(entries, most)]
	if len(entries) == 0 {
		return Chunk{Next: from}, nil
	}
	c := Chunk{Next: entries[len(entries)-1].offset + 1}
	read := make(map[int64]*kgo.Record, len(entries))
	for i := range entries {
		read[entries[i].offset] = nil
	}
	span := kafka.Range{Topic: s.cfg.Kafka.Topics.Held, Partition: p.Partition, From: entries[0].offset, To: c.Next}
	err := s.cfg.Kafka.ReadRanges(ctx, s.cfg.ClientID+"-held", s.cfg.Log, []kafka.Range{span}, func(r *kgo.Record) error {
		if _, wanted := read[r.Offset]; wanted {
			read[r.Offset] = r
		}
		return nil
	})
	if err != nil {
		return Chunk{}, err
	}
	for i := range entries {
		if err := c.add(p, &entries[i], read[entries[i].offset]); err != nil {
			return Chunk{}, err
		}
	}
	return c, nil
}

// chunk is how many entries are read at once.
func chunk(entries []entry, most int) int {
	bytes := 0
	for i := range entries {
		if bytes += entries[i].size; i == most || i > 0 && bytes > maxChunkBytes {
			return i
		}
	}
	return len(entries)
}

func (c *Chunk) add(p kafka.Partition, e *entry, r *kgo.Record) error {
	it := &Item{Key: e.key, Kind: e.kind.Kind, Cause: e.cause, part: p, offset: e.offset}
	if r == nil {
		c.Missing = append(c.Missing, it)
		return nil
	}
	h, err := parse(r)
	if err != nil || h == nil {
		return failure.NewFatal("held record at %s is not what it was: %w", record.PositionOf(r), err)
	}
	it.Raw, it.tombstone = h.Raw, record.Release(r)
	c.Items = append(c.Items, it)
	return nil
}

// Drop forgets records that are missing: they cannot be released.
func (s *Store) Drop(missing []*Item) {
	for _, it := range missing {
		s.remove(it.part, map[int64]bool{it.offset: true})
	}
}
