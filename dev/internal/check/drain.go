// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/lag"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/failure"
)

// drainPoll is how often a drain looks again.
const drainPoll = 200 * time.Millisecond

// WaitDrained waits until transform has read the whole raw topic and holds nothing of
// it, and the sink
// every event that is on its topics. Progress tells how much is left; a negative
// number is not known yet.
func (t *Target) WaitDrained(ctx context.Context, plan *workload.Plan, group string, progress func(raw, events int64)) error {
	client, err := t.Kafka.NewClient("hookstream-check-drain", t.Log)
	if err != nil {
		return err
	}
	defer client.Close()
	conn, err := pgx.Connect(ctx, t.DatabaseURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	d := drain{Target: t, admin: kadm.NewClient(client), conn: conn, group: group}
	d.events = (&collector{target: t, plan: plan}).eventTopics()
	for {
		raw, events, err := d.left(ctx)
		if err != nil {
			return err
		}
		if progress != nil {
			progress(raw, events)
		}
		if raw == 0 && events == 0 {
			return nil
		}
		if err := failure.Sleep(ctx, drainPoll); err != nil {
			return fmt.Errorf("not drained: %d raw records and %d events to go: %w", raw, events, err)
		}
	}
}

type drain struct {
	*Target
	admin  *kadm.Client
	conn   *pgx.Conn
	group  string
	events []string
}

// left counts what transform and the sink have still to read. The end offsets
// alone do not tell: behind the last record lie transaction markers, on the
// event topics always and on the raw topic after a replay.
func (d *drain) left(ctx context.Context) (raw, events int64, err error) {
	atMost, err := lag.Of(ctx, d.admin, d.group, d.Kafka.Topics.Raw)
	if err != nil {
		return 0, 0, err
	}
	if atMost > int64(d.Kafka.Partitions) {
		return atMost, -1, nil
	}
	next, err := d.committed(ctx)
	if err != nil {
		return 0, 0, err
	}
	if raw, err = d.behind(ctx, next, d.Kafka.Topics.Raw); err != nil || raw > 0 {
		return raw, -1, err
	}
	if raw, err = d.Held(ctx); err != nil || raw > 0 {
		return raw, -1, err
	}
	if next, err = d.applied(ctx); err != nil {
		return 0, 0, err
	}
	events, err = d.behind(ctx, next, d.events...)
	return 0, events, err
}

// Held counts the raw records that transform holds.
func (t *Target) Held(ctx context.Context) (int64, error) {
	held := map[string]bool{}
	c := collector{target: t}
	err := c.read(ctx, []string{t.Kafka.Topics.Held}, func(r *kgo.Record) error {
		if held[string(r.Key)] = true; r.Value == nil {
			delete(held, string(r.Key))
		}
		return nil
	})
	return int64(len(held)), err
}

// behind counts the records at or after the offsets that come next.
func (d *drain) behind(ctx context.Context, next map[Position]int64, topics ...string) (int64, error) {
	c := collector{target: d.Target}
	var n int64
	err := c.read(ctx, topics, func(r *kgo.Record) error {
		if r.Offset >= next[Position{Topic: r.Topic, Partition: r.Partition}] {
			n++
		}
		return nil
	})
	return n, err
}

// committed are transform's offsets.
func (d *drain) committed(ctx context.Context) (map[Position]int64, error) {
	offsets, err := d.admin.FetchOffsets(ctx, d.group)
	if err != nil {
		return nil, err
	}
	next := map[Position]int64{}
	offsets.Each(func(o kadm.OffsetResponse) { next[Position{Topic: o.Topic, Partition: o.Partition}] = o.At })
	return next, nil
}

// applied are the sink's offsets, which the database holds.
func (d *drain) applied(ctx context.Context) (map[Position]int64, error) {
	rows, err := d.conn.Query(ctx, `SELECT topic, partition, next_offset FROM hookstream.consumer_offsets`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	next := map[Position]int64{}
	for rows.Next() {
		var p Position
		var n int64
		if err := rows.Scan(&p.Topic, &p.Partition, &n); err != nil {
			return nil, err
		}
		next[p] = n
	}
	return next, rows.Err()
}
