// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
)

// member of the consumer group.
type member struct{ id, clientID, host string }

// String is client@host.
func (m member) String() string { return m.clientID + "@" + m.host }

// kafkaState is what Kafka says. Ok tells whether the topics' offsets are known.
type kafkaState struct {
	starts, ends map[kafka.Partition]int64
	ok           bool
	commits      map[kafka.Partition]int64
	hasCommits   bool
	owners       map[kafka.Partition]member
	members      map[string]bool // by their ids
	hasMembers   bool
}

func (c *collection) askKafka(ctx context.Context) error {
	client, err := c.Kafka.NewClient("sink-status", c.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	return errors.Join(c.askTopics(ctx, admin), c.askCommits(ctx, admin), c.askGroup(ctx, admin))
}

func (c *collection) askTopics(ctx context.Context, admin *kadm.Client) error {
	starts, err := admin.ListStartOffsets(ctx, c.Topics...)
	if err := errors.Join(err, starts.Error()); err != nil {
		return fmt.Errorf("kafka: list start offsets: %w", err)
	}
	// What a transaction that is still open has written cannot be read yet.
	ends, err := admin.ListCommittedOffsets(ctx, c.Topics...)
	if err := errors.Join(err, ends.Error()); err != nil {
		return fmt.Errorf("kafka: list end offsets: %w", err)
	}
	c.kafka.starts, c.kafka.ends, c.kafka.ok = offsets(starts), offsets(ends), true
	return nil
}

func offsets(listed kadm.ListedOffsets) map[kafka.Partition]int64 {
	found := map[kafka.Partition]int64{}
	listed.Each(func(o kadm.ListedOffset) { found[kafka.Partition{Topic: o.Topic, Partition: o.Partition}] = o.Offset })
	return found
}

func (c *collection) askCommits(ctx context.Context, admin *kadm.Client) error {
	commits, err := admin.FetchOffsets(ctx, c.Group)
	if err := errors.Join(err, commits.Error()); err != nil {
		return fmt.Errorf("kafka: read the offsets of group %s: %w", c.Group, err)
	}
	c.kafka.commits, c.kafka.hasCommits = map[kafka.Partition]int64{}, true
	commits.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			c.kafka.commits[kafka.Partition{Topic: o.Topic, Partition: o.Partition}] = o.At
		}
	})
	return nil
}

func (c *collection) askGroup(ctx context.Context, admin *kadm.Client) error {
	groups, err := admin.DescribeGroups(ctx, c.Group)
	if err := errors.Join(err, groups.Error()); err != nil {
		return fmt.Errorf("kafka: describe group %s: %w", c.Group, err)
	}
	c.kafka.owners, c.kafka.members, c.kafka.hasMembers = map[kafka.Partition]member{}, map[string]bool{}, true
	for _, g := range groups {
		for _, m := range g.Members {
			who := member{m.MemberID, m.ClientID, hostOf(m.ClientHost)}
			c.kafka.members[who.id] = true
			assigned, ok := m.Assigned.AsConsumer()
			if !ok {
				continue
			}
			for _, t := range assigned.Topics {
				for _, p := range t.Partitions {
					c.kafka.owners[kafka.Partition{Topic: t.Topic, Partition: p}] = who
				}
			}
		}
	}
	return nil
}

// hostOf is the host of a member's connection. Kafka writes "/192.0.2.1"; other
// brokers leave the slash out or add the port.
func hostOf(clientHost string) string {
	clientHost = strings.TrimPrefix(clientHost, "/")
	if host, _, err := net.SplitHostPort(clientHost); err == nil {
		return host
	}
	return clientHost
}

// askRecords reads the record that is next of each partition that is behind.
func (c *collection) askRecords(ctx context.Context) error {
	c.oldest = map[kafka.Partition]Known[*time.Time]{}
	behind := map[string]map[int32]kgo.Offset{}
	for p, end := range c.kafka.ends {
		next, ok := c.next(p)
		switch {
		case !ok:
		case next >= end:
			c.oldest[p] = known[*time.Time](nil)
		default:
			if behind[p.Topic] == nil {
				behind[p.Topic] = map[int32]kgo.Offset{}
			}
			behind[p.Topic][p.Partition] = kgo.NewOffset().At(next)
		}
	}
	if len(behind) == 0 {
		return nil
	}
	return c.readNext(ctx, behind)
}

// readNext reads until every partition has told its next record, or that there
// are only transaction markers.
func (c *collection) readNext(ctx context.Context, behind map[string]map[int32]kgo.Offset) error {
	client, err := c.Kafka.NewClient("sink-status", c.Log, kgo.ConsumePartitions(behind), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	var errs []error
	for len(behind) > 0 {
		fetches := client.PollRecords(ctx, 100)
		for _, e := range fetches.Errors() {
			if e.Topic == "" || ctx.Err() != nil {
				return fmt.Errorf("kafka: read the next records of %s: %w", strings.Join(slices.Sorted(maps.Keys(behind)), ", "), e.Err)
			}
			errs = append(errs, fmt.Errorf("kafka: read the next record of %s/%d: %w", e.Topic, e.Partition, e.Err))
			drop(behind, kafka.Partition{Topic: e.Topic, Partition: e.Partition})
		}
		fetches.EachRecord(func(r *kgo.Record) {
			p := kafka.Partition{Topic: r.Topic, Partition: r.Partition}
			if _, waits := behind[p.Topic][p.Partition]; !waits {
				return
			}
			switch {
			case !r.Attrs.IsControl():
				c.oldest[p] = known(&r.Timestamp)
			case r.Offset >= c.kafka.ends[p]-1:
				c.oldest[p] = known[*time.Time](nil)
			default:
				return
			}
			drop(behind, p)
			client.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
		})
	}
	return errors.Join(errs...)
}

func drop(behind map[string]map[int32]kgo.Offset, p kafka.Partition) {
	delete(behind[p.Topic], p.Partition)
	if len(behind[p.Topic]) == 0 {
		delete(behind, p.Topic)
	}
}
