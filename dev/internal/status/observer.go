// SPDX-License-Identifier: Apache-2.0

package status

import (
	"context"
	"log/slog"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/dev/internal/lag"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Source is where to look.
type Source struct {
	Gatherer prometheus.Gatherer
	Kafka    *kafka.Config
	Admin    *kadm.Client
	// Database is its URL.
	Database string
	// Transform and Sink are the consumers.
	Transform, Sink Consumer
	// Services are asked whether they are ready, in this order.
	Services []Service
	Log      *slog.Logger
}

// Consumer is a group and what it reads.
type Consumer struct {
	Group  string
	Topics []string
}

// Observer takes snapshots. It is for one goroutine.
type Observer struct {
	Source
	tail     *lag.Tail
	database database
	// applied are the sink's offsets as they were told last.
	applied lag.Offsets
	waits   waits
}

// patience bounds each question of a snapshot.
const patience = 500 * time.Millisecond

// Observe starts an Observer of services that are ready. Close it.
func Observe(ctx context.Context, s Source) (*Observer, error) {
	o := &Observer{Source: s, database: database{url: s.Database}, applied: lag.Offsets{}, waits: waits{}}
	done, err := lag.Committed(ctx, s.Admin, s.Transform.Group)
	if err != nil {
		return nil, err
	}
	if err := o.askApplied(ctx); err != nil {
		return nil, err
	}
	maps.Copy(done, o.applied)
	topics := append(append([]string{}, s.Transform.Topics...), s.Sink.Topics...)
	o.tail, err = lag.Follow(ctx, s.Kafka, s.Admin, s.Log, topics, done)
	return o, err
}

// Close ends it.
func (o *Observer) Close(ctx context.Context) {
	o.tail.Close()
	o.database.close(ctx)
}

// Snapshot asks everyone. What does not answer is unknown.
func (o *Observer) Snapshot(ctx context.Context) (*Snapshot, error) {
	s := &Snapshot{At: time.Now()}
	if err := s.count(o.Gatherer); err != nil {
		return nil, err
	}
	s.Lag = Lag{Transform: o.behindTransform(ctx), Sink: o.behindSink(ctx)}
	s.Latency = o.database.latency(ctx)
	s.Trouble = o.trouble(ctx, s.Lag)
	return s, nil
}

func (o *Observer) behindTransform(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	next, err := lag.Committed(ctx, o.Admin, o.Transform.Group)
	if err != nil {
		return o.unknown(ctx, "transform", err)
	}
	return o.behind(ctx, "transform", next, o.Transform.Topics)
}

func (o *Observer) behindSink(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := o.askApplied(ctx); err != nil {
		return o.unknown(ctx, "sink", err)
	}
	return o.behind(ctx, "sink", o.applied, o.Sink.Topics)
}

func (o *Observer) behind(ctx context.Context, who string, next lag.Offsets, topics []string) int64 {
	n, err := o.tail.Behind(ctx, next, topics...)
	if err != nil {
		return o.unknown(ctx, who, err)
	}
	return n
}

func (o *Observer) unknown(ctx context.Context, who string, err error) int64 {
	o.Log.DebugContext(ctx, "lag is unknown", "of", who, "error", err)
	return -1
}

// askApplied asks the database and Kafka for the sink's offsets. The sink tells
// Kafka a moment later; while the database is away, nothing is applied.
func (o *Observer) askApplied(ctx context.Context) error {
	told, err := lag.Committed(ctx, o.Admin, o.Sink.Group)
	if err != nil {
		return err
	}
	for _, offsets := range []lag.Offsets{told, o.database.offsets(ctx, o.Sink.Group)} {
		for p, next := range offsets {
			o.applied[p] = max(o.applied[p], next)
		}
	}
	return nil
}

// database is asked beside the sink, and left alone for a while when it does not
// answer: a Postgres that hangs must not find hundreds of connections when it goes
// on.
type database struct {
	url   string
	conn  *pgx.Conn
	again time.Time
}

const databaseRest = 2 * time.Second

// ask calls do with a connection, and reports whether it went well.
func (d *database) ask(ctx context.Context, do func(context.Context, *pgx.Conn) error) bool {
	if time.Now().Before(d.again) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	if d.conn == nil {
		d.conn, err = pgx.Connect(ctx, d.url)
	}
	if err == nil {
		err = do(ctx, d.conn)
	}
	if err != nil {
		d.close(ctx)
		d.again = time.Now().Add(databaseRest)
	}
	return err == nil
}

func (d *database) close(ctx context.Context) {
	if d.conn != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_ = d.conn.Close(ctx) // a failure says nothing new
		d.conn = nil
	}
}

// offsets are the sink's, or nil where the database does not answer.
func (d *database) offsets(ctx context.Context, group string) (out lag.Offsets) {
	d.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT topic, partition, next_offset FROM hookstream.consumer_offsets WHERE consumer_group = $1 AND next_offset >= 0`, group)
		if err != nil {
			return err
		}
		found := lag.Offsets{}
		var p kafka.Partition
		var next int64
		if _, err := pgx.ForEachRow(rows, []any{&p.Topic, &p.Partition, &next}, func() error { found[p] = next; return nil }); err != nil {
			return err
		}
		out = found
		return nil
	})
	return out
}

// latencySQL looks back five seconds, by the ledger's index.
const latencySQL = `
SELECT coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY took), 0), coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY took), 0)
FROM (SELECT extract(epoch FROM applied_at - received_at)::float8 AS took FROM hookstream.events WHERE applied_at > clock_timestamp() - interval '5 seconds') AS latest`

// latency is measured, where a histogram's buckets would only say between what it
// lies: half an hour's outage and one of ten minutes are in the same.
func (d *database) latency(ctx context.Context) (l Latency) {
	d.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var p50, p99 float64
		if err := conn.QueryRow(ctx, latencySQL).Scan(&p50, &p99); err != nil {
			return err
		}
		l = Latency{seconds(p50), seconds(p99)}
		return nil
	})
	return l
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
