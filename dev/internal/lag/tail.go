// SPDX-License-Identifier: Apache-2.0

package lag

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
)

// Offsets are those that come next, by partition. Where a partition has none, its
// consumer has done nothing of it.
type Offsets map[kafka.Partition]int64

// Tail reads topics beside their consumers, to know which offsets are records: a
// transaction's marker has one too, and where batches are small there are as many
// markers as records.
type Tail struct {
	admin *kadm.Client
	stop  func()

	mu         sync.Mutex
	partitions map[kafka.Partition]*followed
}

// followed is what was read of a partition: from first on and before next, these
// offsets are records. Before first it is not known which are.
type followed struct {
	first, next int64
	records     []int64
}

// maxRecords bounds what is kept of a partition, and how far back is read.
const maxRecords = 100_000

// Follow reads topics from what comes next for their consumers.
func Follow(ctx context.Context, cfg *kafka.Config, admin *kadm.Client, log *slog.Logger, topics []string, next Offsets) (*Tail, error) {
	starts, err := listed(admin.ListStartOffsets(ctx, topics...))
	if err != nil {
		return nil, err
	}
	ends, err := listed(admin.ListCommittedOffsets(ctx, topics...))
	if err != nil {
		return nil, err
	}
	t := &Tail{admin: admin, partitions: map[kafka.Partition]*followed{}}
	from := map[string]map[int32]kgo.Offset{}
	for p, start := range starts {
		at := max(start, next[p], ends[p]-maxRecords)
		t.partitions[p] = &followed{first: at, next: at}
		if from[p.Topic] == nil {
			from[p.Topic] = map[int32]kgo.Offset{}
		}
		from[p.Topic][p.Partition] = kgo.NewOffset().At(at)
	}
	client, err := cfg.NewClient("hookstream-dev-tail", log, kgo.ConsumePartitions(from), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	readCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.read(readCtx, client)
	}()
	t.stop = func() { cancel(); <-done; client.Close() }
	return t, nil
}

// Close stops reading.
func (t *Tail) Close() { t.stop() }

func (t *Tail) read(ctx context.Context, client *kgo.Client) {
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		t.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			t.partitions[kafka.Partition{Topic: r.Topic, Partition: r.Partition}].add(r.Offset, !r.Attrs.IsControl())
		})
		t.mu.Unlock()
	}
}

// Behind counts the records of some topics that wait for a consumer, whose next
// offsets are given.
func (t *Tail) Behind(ctx context.Context, next Offsets, topics ...string) (int64, error) {
	ends, err := listed(t.admin.ListCommittedOffsets(ctx, topics...))
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var n int64
	for p, end := range ends {
		if f := t.partitions[p]; f != nil {
			n += f.behind(next[p], end)
		}
	}
	return n, nil
}

// add takes the next offset that was read.
func (f *followed) add(offset int64, isRecord bool) {
	f.next = offset + 1
	if !isRecord {
		return
	}
	if len(f.records) == maxRecords {
		f.forget(f.records[maxRecords/2])
	}
	f.records = append(f.records, offset)
}

// forget lets go of what is before an offset.
func (f *followed) forget(before int64) {
	at, _ := slices.BinarySearch(f.records, before)
	f.records = slices.Delete(f.records, 0, at)
	f.first = max(f.first, before)
}

// behind counts the records from next on and before end. Where it is not known
// which offsets are records, all count.
func (f *followed) behind(next, end int64) int64 {
	unread := max(0, end-max(f.next, next))
	if next < f.first {
		return f.first - next + int64(len(f.records)) + unread
	}
	f.forget(min(next, f.next))
	return int64(len(f.records)) + unread
}

func listed(offsets kadm.ListedOffsets, err error) (Offsets, error) {
	if err := errors.Join(err, offsets.Error()); err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	out := Offsets{}
	offsets.Each(func(o kadm.ListedOffset) { out[kafka.Partition{Topic: o.Topic, Partition: o.Partition}] = o.Offset })
	return out, nil
}

// Committed are the offsets that a consumer group has committed. A group that
// nobody has joined yet has none.
func Committed(ctx context.Context, admin *kadm.Client, group string) (Offsets, error) {
	committed, err := admin.FetchOffsets(ctx, group)
	if err := errors.Join(err, committed.Error()); errors.Is(err, kerr.GroupIDNotFound) {
		return Offsets{}, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", group, err)
	}
	out := Offsets{}
	committed.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			out[kafka.Partition{Topic: o.Topic, Partition: o.Partition}] = o.At
		}
	})
	return out, nil
}
