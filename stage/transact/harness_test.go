// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/tracing"
	"github.com/hookstream/hookstream/stage/transact"
)

// broker is a Kafka with the topics in and out, and a consumer group.
type broker struct {
	*kafkatest.Broker
	in, out, group string
	cfg            *kafka.Config
	client         *kgo.Client
	session        time.Duration
}

func newBroker(t *testing.T, partitions int32) *broker {
	t.Helper()
	b := kafkatest.New(t, kfake.GroupMinSessionTimeout(time.Second))
	session := 6 * time.Second // Kafka's own minimum
	if b.Embedded() {
		session = time.Second
	}
	return withTopics(t, &broker{Broker: b, session: session}, partitions)
}

// newFake is a broker that misbehaves when told to.
func newFake(t *testing.T, why string, opts ...kfake.Opt) (*kfake.Cluster, *broker) {
	t.Helper()
	c := kafkatest.Fake(t, why, opts...)
	b := &broker{Broker: &kafkatest.Broker{Addresses: c.ListenAddrs()}, session: 6 * time.Second}
	return c, withTopics(t, b, 1)
}

func withTopics(t *testing.T, b *broker, partitions int32) *broker {
	t.Helper()
	b.in, b.out, b.group = b.CreateTopic(t, partitions, "in"), b.CreateTopic(t, partitions, "out"), b.Name("copiers")
	b.cfg = &kafka.Config{Brokers: b.Addresses, MaxMessageBytes: 1 << 20, Topics: b.Topics()}
	var err error
	if b.client, err = b.cfg.NewClient("test", runtest.Logger()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	return b
}

// send produces records with the values from..to-1, spread over partitions.
func (b *broker) send(t *testing.T, from, to int) {
	t.Helper()
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		v := []byte(strconv.Itoa(i))
		rs = append(rs, &kgo.Record{Topic: b.in, Key: v, Value: v})
	}
	if err := b.client.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// output counts the committed values of out, with an independent consumer.
func (b *broker) output(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), runtest.Patience)
	defer cancel()
	if err := b.cfg.ReadToEnd(ctx, "output", runtest.Logger(), kafka.Partitions{b.out: nil}, func(r *kgo.Record) error {
		n[string(r.Value)]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantOutput waits for n values and checks that each came once.
func (b *broker) wantOutput(t *testing.T, n int) {
	t.Helper()
	var got map[string]int
	runtest.Eventually(t, fmt.Sprintf("%d values", n), func() bool { got = b.output(t); return len(got) >= n })
	for v, times := range got {
		if times != 1 {
			t.Errorf("value %s came %d times", v, times)
		}
	}
	if len(got) != n {
		t.Errorf("%d values, want %d", len(got), n)
	}
}

// committed is the sum of the group's committed offsets.
func (b *broker) committed(t *testing.T) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(b.client).FetchOffsets(t.Context(), b.group)
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.OffsetResponse) { sum += max(0, o.At) })
	return sum
}

// copier copies records to out, and checks the loop's promises to a Processor.
// Restore and process, where set, come first.
type copier struct {
	out     string
	restore func(ctx context.Context, parts []kafka.Partition) error
	process func(ctx context.Context, records []*kgo.Record) error

	mu        sync.Mutex
	owned     map[kafka.Partition]bool
	processed int
	committed int
	broken    error
}

func (c *copier) Restore(ctx context.Context, parts []kafka.Partition) error {
	if c.restore != nil {
		if err := c.restore(ctx, parts); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owned == nil {
		c.owned = map[kafka.Partition]bool{}
	}
	for _, p := range parts {
		c.owned[p] = true
	}
	return nil
}

func (c *copier) Forget(parts []kafka.Partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		delete(c.owned, p)
	}
}

func (c *copier) Process(ctx context.Context, records []*kgo.Record) (transact.Output, error) {
	if c.process != nil {
		if err := c.process(ctx, records); err != nil {
			return transact.Output{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processed++
	var o transact.Output
	for _, r := range records {
		if p := (kafka.Partition{Topic: r.Topic, Partition: r.Partition}); !c.owned[p] {
			c.broken = fmt.Errorf("record of %s processed without its state", p)
		}
		out := &kgo.Record{Topic: c.out, Key: r.Key, Value: r.Value}
		tracing.Continue(out, r)
		o.Records = append(o.Records, out)
	}
	o.Committed = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.committed += len(records)
	}
	return o, nil
}

// counts are the calls of Process, the records committed and the partitions
// with state.
func (c *copier) counts() (processed, committed, owned int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processed, c.committed, len(c.owned)
}

func (b *broker) config(id string) transact.Config {
	return transact.Config{
		Kafka: b.cfg, Group: b.group, Topics: []string{b.in}, TransactionalID: b.Name(id), MaxRecords: 100,
		Timeout: time.Minute, SessionTimeout: b.session, DrainTimeout: 5 * time.Second, Log: runtest.Logger(),
	}
}

// start runs a loop over c until the test ends, and checks then that it kept
// its promises.
func (b *broker) start(t *testing.T, cfg transact.Config, c *copier) *runtest.Run {
	t.Helper()
	c.out = b.out
	loop, err := transact.New(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.broken != nil {
			t.Error(c.broken)
		}
		if _, _, owned := c.counts(); owned != 0 {
			t.Errorf("state of %d partitions was not forgotten", owned)
		}
	})
	return runtest.Start(t, loop.Run) // ends before the checks
}

// fatal waits for the Fatal error that ends a loop.
func fatal(t *testing.T, r *runtest.Run) error {
	t.Helper()
	err := r.Wait()
	if failure.Of(err) != failure.Fatal {
		t.Errorf("Run gave %v, want a Fatal error", err)
	}
	return err
}

var errPassing = errors.New("passing")

// sentTo reads the values of one partition of in.
func (b *broker) sentTo(t *testing.T, partition int32) []string {
	t.Helper()
	var values []string
	if err := b.cfg.ReadToEnd(t.Context(), "sent", runtest.Logger(), kafka.Partitions{b.in: {partition}}, func(r *kgo.Record) error {
		values = append(values, string(r.Value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return values
}
