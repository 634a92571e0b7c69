// SPDX-License-Identifier: Apache-2.0

package backlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/tracing"
)

// Follow reads the dead letters and their resolutions from the beginning and
// goes on until ctx ends, starting over after a failure. Status is told whether
// the counts are current. It returns nil, or an error that is Fatal.
func (b *Backlog) Follow(ctx context.Context, cfg *kafka.Config, log *slog.Logger, status func(ready bool, reason string)) error {
	return kafka.Sessions(ctx, log, status, func(ctx context.Context) error {
		b.reset()
		client, err := cfg.NewClient("hookstream-dlq-serve", log,
			kgo.ConsumeTopics(cfg.Topics.DeadLetters, cfg.Topics.Resolutions),
			kgo.KeepControlRecords(), // the end of a topic may be a marker of a transaction
			// Dead letters resemble each other: decompressed, a fetch is many
			// times its size. A larger batch is still fetched, alone.
			kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes/4),
		)
		if err != nil {
			return err
		}
		defer client.Close()
		f := follower{Backlog: b, cfg: cfg, client: client, log: log, status: status, unreadable: map[letters.Digest]*resolutions.Unreadable{}}
		return f.run(ctx)
	})
}

// fetchBytes bounds what is read ahead.
const fetchBytes = 1 << 20

// follower is one client's life.
type follower struct {
	*Backlog
	cfg    *kafka.Config
	client *kgo.Client
	log    *slog.Logger
	status func(ready bool, reason string)
	// ends are where partitions ended at the start, until they are reached.
	ends map[partition]int64
	// topics are the topics' IDs at the start.
	topics map[string]kadm.TopicID
	// unreadable are the resolutions that cannot be read, up to maxUnreadable.
	unreadable map[letters.Digest]*resolutions.Unreadable
}

// maxUnreadable bounds the resolutions that are remembered for being told.
const maxUnreadable = 1000

type partition struct {
	topic string
	n     int32
}

func (f *follower) run(ctx context.Context) error {
	f.topics = map[string]kadm.TopicID{}
	if err := errors.Join(f.sameTopics(ctx), f.open(ctx)); err != nil {
		return err
	}
	for looked := time.Now(); ; {
		f.caughtUp()
		fetches := f.poll(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(looked) >= topicsEvery {
			if err := f.sameTopics(ctx); err != nil {
				return err
			}
			looked = time.Now()
		}
		for _, e := range fetches.Errors() {
			if err := kafka.FetchError(e); err != nil {
				return err
			}
		}
		fetches.EachRecord(func(r *kgo.Record) { f.record(ctx, r) })
	}
}

// topicsEvery is how often the topics are looked at: the client goes on asking for one
// that was deleted, and takes one that was made anew for empty.
const topicsEvery = 2 * time.Second

// poll ends when it is time to look at the topics.
func (f *follower) poll(ctx context.Context) kgo.Fetches {
	ctx, cancel := context.WithTimeout(ctx, topicsEvery)
	defer cancel()
	return f.client.PollFetches(ctx)
}

// sameTopics is an error where a topic is not there any more, or is another one of that
// name than at the start.
func (f *follower) sameTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	names := []string{f.cfg.Topics.DeadLetters, f.cfg.Topics.Resolutions}
	topics, err := kadm.NewClient(f.client).ListTopics(ctx, names...)
	if err != nil {
		return kafka.Classify(fmt.Errorf("look at %s and %s: %w", names[0], names[1], err))
	}
	for _, name := range names {
		t, first := topics[name], f.topics[name]
		switch {
		case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			return fmt.Errorf("topic %s does not exist any more", name)
		case t.Err != nil:
			return kafka.Classify(fmt.Errorf("look at %s: %w", name, t.Err))
		case first != (kadm.TopicID{}) && t.ID != first:
			return fmt.Errorf("topic %s was made anew; it is read from its beginning", name)
		}
		f.topics[name] = t.ID
	}
	return nil
}

const openTimeout = 30 * time.Second

// open takes the ends of the topics, which must be there.
func (f *follower) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	admin, topics := kadm.NewClient(f.client), []string{f.cfg.Topics.DeadLetters, f.cfg.Topics.Resolutions}
	starts, err1 := admin.ListStartOffsets(ctx, topics...)
	ends, err2 := admin.ListEndOffsets(ctx, topics...)
	if err := errors.Join(err1, starts.Error(), err2, ends.Error()); err != nil {
		return kafka.Classify(fmt.Errorf("offsets of %s and %s: %w", topics[0], topics[1], err))
	}
	f.ends = map[partition]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if start.Offset < end.Offset {
			f.ends[partition{end.Topic, end.Partition}] = end.Offset
		}
	})
	return nil
}

// caughtUp says once that everything that was there at the start is counted.
func (f *follower) caughtUp() {
	if f.ends != nil && len(f.ends) == 0 {
		f.ends = nil
		f.loadedAll()
		f.tell()
	}
}

// tell says that the counts are current, and which resolution cannot be read: nothing
// is done with its dead letter until a person has looked.
func (f *follower) tell() {
	if f.ends != nil {
		return
	}
	why := ""
	var first *resolutions.Unreadable
	for _, u := range f.unreadable {
		if first == nil || u.ID < first.ID {
			first = u
		}
	}
	if first != nil {
		why = fmt.Sprintf("%d dead letters are left alone: their last resolution is %s", len(f.unreadable), first)
	}
	f.status(true, why)
}

func (f *follower) record(ctx context.Context, r *kgo.Record) {
	p := partition{r.Topic, r.Partition}
	if end, ok := f.ends[p]; ok && r.Offset >= end-1 {
		delete(f.ends, p)
	}
	if r.Attrs.IsControl() {
		return
	}
	var err error
	if r.Topic == f.cfg.Topics.DeadLetters {
		err = f.deadLetter(r)
	} else {
		err = f.resolved(r)
	}
	if err != nil {
		f.log.WarnContext(tracing.Within(ctx, r), "a record is not counted", tracing.LogAttr(r), "error", err)
	}
}

func (f *follower) deadLetter(r *kgo.Record) error {
	d, err := record.ParseDeadLetter(r)
	if err != nil {
		return err
	}
	f.letter(d)
	return nil
}

func (f *follower) resolved(r *kgo.Record) error {
	res, bad, relevant := resolutions.Parse(r)
	if !relevant {
		return nil
	}
	d, told := letters.DigestOf(string(r.Key)), len(f.unreadable)
	delete(f.unreadable, d)
	if bad != nil && len(f.unreadable) < maxUnreadable {
		f.unreadable[d] = bad
	}
	if told > 0 || bad != nil {
		f.tell()
	}
	if bad != nil {
		return fmt.Errorf("its dead letter is left alone: its last resolution is %s", bad)
	}
	f.resolution(string(r.Key), res)
	return nil
}
