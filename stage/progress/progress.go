// SPDX-License-Identifier: Apache-2.0

// Package progress measures how a consume loop gets on: how far behind the end of
// its topics it is, how long records wait for it, and which partitions stand
// still.
package progress

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// State is why partitions stand still.
type State string

// The states.
const (
	// Restoring partitions wait for their state to be read back.
	Restoring State = "restoring"
	// Retrying partitions are in a batch that failed and is tried again.
	Retrying State = "retrying"
	// Held partitions were set aside because of what is in them.
	Held State = "held"
)

// Meter measures one loop. Its series are bounded by the group's topics and their
// partitions; nothing that a sender chooses is a label. It is safe for concurrent
// use.
type Meter struct {
	group   attribute.KeyValue
	latency metric.Float64Histogram
	batch   metric.Int64Histogram
	// failures of what the loop does, by what and why.
	failures metric.Int64Counter
	stop     metric.Registration
	// options of latency and batch, which are recorded often: made once, as a
	// slice, they take no allocation a record.
	byGroup []metric.RecordOption

	mu        sync.Mutex
	positions map[partition]*position
	waiting   map[State]int64
}

type partition struct {
	topic  string
	number int32
}

// position is how far a partition is.
type position struct {
	attributes metric.MeasurementOption
	// next is the offset after the last record that was done, last the offset
	// of the last one polled, end the partition's high watermark.
	next, last, end int64
	// oldest is the timestamp of the oldest record that is polled and not
	// done; zero where there is none.
	oldest time.Time
}

// New makes a Meter for a consumer group. Close it when the loop has ended.
func New(group string) (*Meter, error) {
	meter := otel.Meter("github.com/hookstream/hookstream/stage/progress")
	attr := attribute.String("group", group)
	m := &Meter{group: attr, byGroup: []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attr))}, positions: map[partition]*position{}, waiting: map[State]int64{}}
	var errs [7]error
	m.latency, errs[0] = meter.Float64Histogram("hookstream.consumer.latency", metric.WithUnit("s"),
		metric.WithDescription("Time from a record's write to the commit of what became of it: ack-to-event in transform, event-to-row in the sink."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600))
	m.batch, errs[1] = meter.Int64Histogram("hookstream.consumer.batch.records",
		metric.WithDescription("Records that were committed together."),
		metric.WithExplicitBucketBoundaries(1, 10, 100, 500, 1000, 2500, 5000, 10000))
	m.failures, errs[6] = meter.Int64Counter("hookstream.consumer.failures",
		metric.WithDescription("Failures of a consume loop, tried again or fatal: attempts at a batch, claims of partitions, restores of state, work without records, and sessions that ended."))
	var gauges observed
	gauges.waiting, errs[2] = meter.Int64ObservableGauge("hookstream.consumer.partitions.waiting",
		metric.WithDescription("Partitions that stand still, by why."))
	gauges.lag, errs[3] = meter.Int64ObservableGauge("hookstream.consumer.lag",
		metric.WithDescription("Records between the last one done and the partition's end when it was last fetched. A transaction's marker counts, so 1 may remain."))
	gauges.age, errs[4] = meter.Float64ObservableGauge("hookstream.consumer.lag.time", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest record that was fetched and is not done; 0 where there is none."))
	m.stop, errs[5] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.observe(o, gauges, time.Now())
		return nil
	}, gauges.waiting, gauges.lag, gauges.age)
	return m, errors.Join(errs[:]...)
}

// Close ends the series of the gauges.
func (m *Meter) Close() error {
	m.ForgetAll()
	return m.stop.Unregister()
}

// observed are the gauges that are read when they are asked for.
type observed struct {
	waiting, lag metric.Int64ObservableGauge
	age          metric.Float64ObservableGauge
}

func (m *Meter) observe(o metric.Observer, gauges observed, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range []State{Restoring, Retrying, Held} {
		o.ObserveInt64(gauges.waiting, m.waiting[s], metric.WithAttributes(m.group, attribute.String("state", string(s))))
	}
	for _, p := range m.positions {
		o.ObserveInt64(gauges.lag, max(0, p.end-p.next), p.attributes)
		seconds := 0.0
		if !p.oldest.IsZero() {
			seconds = max(0, now.Sub(p.oldest).Seconds()) // clocks differ
		}
		o.ObserveFloat64(gauges.age, seconds, p.attributes)
	}
}

// Polled notes what was fetched. Records may come again, after a rewind.
func (m *Meter) Polled(fetches kgo.Fetches) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if len(f.Records) == 0 {
			return
		}
		first := f.Records[0]
		p := m.positions[partition{f.Topic, f.Partition}]
		if p == nil {
			p = &position{next: first.Offset, attributes: metric.WithAttributeSet(attribute.NewSet(
				m.group, attribute.String("topic", f.Topic), attribute.Int("partition", int(f.Partition))))}
			m.positions[partition{f.Topic, f.Partition}] = p
		}
		p.end = max(p.end, f.HighWatermark)
		p.last = f.Records[len(f.Records)-1].Offset
		if p.oldest.IsZero() {
			p.oldest = first.Timestamp
		}
	})
}

// Done notes records whose outcome was committed together, in the order of their
// partition. Their contexts, where they hold a sampled trace, become exemplars.
func (m *Meter) Done(ctx context.Context, records []*kgo.Record) {
	now := time.Now()
	m.batch.Record(ctx, int64(len(records)), m.byGroup...)
	m.reached(records)
	for _, r := range records {
		m.latency.Record(traceOf(ctx, r), max(0, now.Sub(r.Timestamp).Seconds()), m.byGroup...)
	}
}

// reached notes the last record of each partition. Those of one come in a row.
func (m *Meter) reached(records []*kgo.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range records {
		if next := i + 1; next < len(records) && records[next].Partition == r.Partition && records[next].Topic == r.Topic {
			continue
		}
		if p := m.positions[partition{r.Topic, r.Partition}]; p != nil {
			p.done(r)
		}
	}
}

func traceOf(ctx context.Context, r *kgo.Record) context.Context {
	if r.Context != nil {
		return r.Context
	}
	return ctx
}

func (p *position) done(r *kgo.Record) {
	p.next = r.Offset + 1
	p.oldest = time.Time{}
	if r.Offset < p.last {
		p.oldest = r.Timestamp // of the next one, about
	}
}

// Waiting says how many partitions stand still in a state now.
func (m *Meter) Waiting(s State, partitions int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting[s] = int64(partitions)
}

// Forget drops a partition that was taken away.
func (m *Meter) Forget(topic string, number int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.positions, partition{topic, number})
}

// ForgetAll drops every partition at the end of a session.
func (m *Meter) ForgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.positions)
	clear(m.waiting)
}
