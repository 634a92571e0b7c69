// SPDX-License-Identifier: Apache-2.0

package status

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Source is where to look.
type Source struct {
	Kafka  *kafka.Config
	Pool   *pgxpool.Pool
	Group  string
	Topics []string
	// Instances are the addresses of admin listeners. Without, they are looked
	// for at the hosts of the group's members, on AdminPort.
	Instances []string
	AdminPort string
	// Patience bounds each of the questions.
	Patience time.Duration
	Log      *slog.Logger
}

// collection is what is known so far.
type collection struct {
	Source
	mu       sync.Mutex
	problems []string
	rows     map[kafka.Partition]row
	hasRows  bool
	kafka    kafkaState
	oldest   map[kafka.Partition]Known[*time.Time]
	states   []Instance
}

// Collect asks everyone. What does not answer in time is unknown, and among the
// report's problems.
func Collect(ctx context.Context, s Source) *Report {
	c := &collection{Source: s}
	c.together(ctx, c.askDatabase, c.askKafka)
	c.together(ctx, c.askRecords, c.askInstances)
	return c.report()
}

// together runs questions at once, each with the patience there is.
func (c *collection) together(ctx context.Context, questions ...func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	var wg sync.WaitGroup
	for _, ask := range questions {
		wg.Go(func() {
			if err := ask(ctx); err != nil {
				c.problem(err)
			}
		})
	}
	wg.Wait()
}

func (c *collection) problem(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, err.Error())
}

// row is the database's of a partition.
type row struct {
	epoch, next int64
	updated     time.Time
}

func (c *collection) askDatabase(ctx context.Context) error {
	rows, err := c.Pool.Query(ctx, "select topic, partition, epoch, next_offset, updated_at from hookstream.consumer_offsets where consumer_group = $1", c.Group)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	found := map[kafka.Partition]row{}
	var p kafka.Partition
	var r row
	if _, err := pgx.ForEachRow(rows, []any{&p.Topic, &p.Partition, &r.epoch, &r.next, &r.updated}, func() error {
		found[p] = r
		return nil
	}); err != nil {
		return fmt.Errorf("database: read the offsets of group %s: %w", c.Group, err)
	}
	c.rows, c.hasRows = found, true
	return nil
}

// next is the first offset that the database does not have.
func (c *collection) next(p kafka.Partition) (offset int64, ok bool) {
	if !c.hasRows || !c.kafka.ok {
		return 0, false
	}
	if r, taken := c.rows[p]; taken && r.next != fenced.NeverRead {
		return r.next, true
	}
	return c.kafka.starts[p], true
}

func (c *collection) report() *Report {
	r := &Report{At: time.Now(), Group: c.Group, Problems: append([]string{}, c.problems...), Partitions: []Partition{}, Instances: c.states}
	slices.Sort(r.Problems)
	seen := map[kafka.Partition]bool{}
	for p := range c.rows {
		seen[p] = true
	}
	for p := range c.kafka.ends {
		seen[p] = true
	}
	for p := range seen {
		r.Partitions = append(r.Partitions, c.partition(p))
	}
	slices.SortFunc(r.Partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return r
}

func (c *collection) partition(p kafka.Partition) Partition {
	out := Partition{Topic: p.Topic, Partition: p.Partition, OldestUnapplied: c.oldest[p], Retry: c.retry(p)}
	if c.hasRows {
		out.DatabaseOffset.OK, out.Epoch.OK, out.AppliedAt.OK = true, true, true
		if r, ok := c.rows[p]; ok {
			out.Epoch.Value = &r.epoch
			if r.next != fenced.NeverRead {
				out.DatabaseOffset.Value, out.AppliedAt.Value = &r.next, &r.updated
			}
		}
	}
	if end, ok := c.kafka.ends[p]; ok {
		out.EndOffset = known(end)
		if next, ok := c.next(p); ok {
			out.Lag = known(max(0, end-next))
		}
	}
	if out.OldestUnapplied.OK && out.OldestUnapplied.Value == nil {
		out.Lag = known(int64(0))
	}
	if c.kafka.hasCommits {
		out.KafkaOffset.OK = true
		if at, ok := c.kafka.commits[p]; ok {
			out.KafkaOffset.Value = &at
		}
	}
	if c.kafka.hasMembers {
		out.Owner.OK = true
		if m, ok := c.kafka.owners[p]; ok {
			owner := m.String()
			out.Owner.Value = &owner
		}
	}
	return out
}
