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
)

// drainPoll is how often a drain looks again.
const drainPoll = 200 * time.Millisecond

// WaitDrained waits until transform has read the whole raw topic and the sink
// every event that is on its topics. Progress tells how much is left.
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
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	for {
		raw, err := lag.Of(ctx, kadm.NewClient(client), group, t.Kafka.Topics.Raw)
		if err != nil {
			return err
		}
		events := int64(-1)
		if raw == 0 {
			if events, err = t.eventLag(ctx, plan, conn); err != nil {
				return err
			}
		}
		if progress != nil {
			progress(raw, events)
		}
		if raw == 0 && events == 0 {
			return nil
		}
		if err := wait(ctx, drainPoll); err != nil {
			return fmt.Errorf("not drained: %d raw records and %d events to go: %w", raw, events, err)
		}
	}
}

// eventLag counts the events that the database has not moved over. The end
// offsets cannot be compared: transaction markers lie behind the last event.
func (t *Target) eventLag(ctx context.Context, plan *workload.Plan, conn *pgx.Conn) (int64, error) {
	next := map[Position]int64{}
	rows, err := conn.Query(ctx, `SELECT topic, partition, next_offset FROM hookstream.consumer_offsets`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Position
		var n int64
		if err := rows.Scan(&p.Topic, &p.Partition, &n); err != nil {
			return 0, err
		}
		next[p] = n
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	c := collector{target: t, plan: plan}
	var topics []string
	for _, e := range c.entities() {
		topics = append(topics, t.Kafka.Topics.Events(e))
	}
	var behind int64
	err = c.read(ctx, topics, func(r *kgo.Record) error {
		if r.Offset >= next[Position{Topic: r.Topic, Partition: r.Partition}] {
			behind++
		}
		return nil
	})
	return behind, err
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
