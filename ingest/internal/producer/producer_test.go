// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// A broker that answers has long enough; one that is silent is waited for briefly.
const (
	generous = 20 * time.Second
	brief    = 300 * time.Millisecond
)

func newConfig(b *kafkatest.Broker) Config {
	return Config{
		Kafka: &kafka.Config{
			Brokers: b.Addresses, Topics: b.Topics(), Partitions: 3, Replication: -1,
			MaxMessageBytes: 4 << 20, Retention: time.Hour, DedupWindow: time.Hour,
		},
		ClientID: "test", Timeout: generous, Log: slog.New(slog.DiscardHandler),
		Status: func(bool, string) {},
	}
}

// silence makes the broker read produce requests and answer none.
func silence(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, true
	})
}

// whenReady closes the channel at the first status that is ready.
func whenReady(cfg *Config) <-chan struct{} {
	ready := make(chan struct{})
	once := sync.OnceFunc(func() { close(ready) })
	cfg.Status = func(ok bool, _ string) {
		if ok {
			once()
		}
	}
	return ready
}

func produce(ctx context.Context, p *Producer) error {
	return p.Produce(ctx, &kgo.Record{Topic: p.cfg.Kafka.Topics.Raw, Key: []byte("k"), Value: []byte("v")})
}

func TestProduceWaitsForTheTopics(t *testing.T) {
	cfg := newConfig(kafkatest.New(t))
	ready := whenReady(&cfg)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := produce(t.Context(), p); !errors.Is(err, ErrUnavailable) {
		t.Errorf("before the topics were checked: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-ready
	if err := produce(t.Context(), p); err != nil {
		t.Errorf("with a broker: %v", err)
	}
	// A sender that has gone does not stop what was begun.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := produce(gone, p); err != nil {
		t.Errorf("without its sender: %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestProduceWaitsBrieflyForASilentBroker(t *testing.T) {
	c := kafkatest.Fake(t, "it falls silent here")
	cfg := newConfig(&kafkatest.Broker{Addresses: c.ListenAddrs()})
	ready := whenReady(&cfg)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	<-ready
	if err := produce(t.Context(), p); err != nil {
		t.Errorf("while it answers: %v", err)
	}

	silence(c)
	p.deadlines = deadlines{timeout: brief}
	start := time.Now()
	err = produce(t.Context(), p)
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("from a silent broker: %v", err)
	}
	if took := time.Since(start); took < brief || took > generous {
		t.Errorf("gave up after %s, want about %s", took, brief)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run ended with %v", err)
	}
}

func TestProduceDoesNotWaitForRoom(t *testing.T) {
	c := kafkatest.Fake(t, "it is silent here", kfake.SeedTopics(1, topic.DefaultNames().Raw))
	silence(c)
	p, err := New(newConfig(&kafkatest.Broker{Addresses: c.ListenAddrs()}))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	if p.client, err = kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.MaxBufferedRecords(1)); err != nil {
		t.Fatal(err)
	}
	defer p.client.Close()
	p.checked.Store(true)
	first := make(chan error, 1)
	go func() { first <- produce(t.Context(), p) }()
	deadline := time.Now().Add(10 * time.Second)
	for p.client.BufferedProduceRecords() == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the first record was never buffered")
		}
		time.Sleep(time.Millisecond)
	}
	if err := produce(t.Context(), p); !errors.Is(err, ErrUnavailable) || !errors.Is(err, kgo.ErrMaxBuffered) {
		t.Errorf("with a full buffer: %v", err)
	}
	p.client.Close()
	if err := <-first; !errors.Is(err, ErrUnavailable) {
		t.Errorf("closed under a record in hand: %v", err)
	}
}

// TestProduceAllIsAllOrUnavailable: one record that Kafka refuses is enough.
func TestProduceAllIsAllOrUnavailable(t *testing.T) {
	b := kafkatest.New(t)
	b.CreateTopic(t, 3, topic.DefaultNames().Raw)
	p, err := New(newConfig(b))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.checked.Store(true)
	batch := func() []*kgo.Record {
		records := make([]*kgo.Record, 1000)
		for i := range records {
			records[i] = &kgo.Record{Topic: p.cfg.Kafka.Topics.Raw, Value: make([]byte, i)}
		}
		return records
	}
	records := batch()
	if err := p.ProduceAll(t.Context(), records); err != nil {
		t.Errorf("a thousand records: %v", err)
	}
	for i, r := range records {
		if r.Timestamp.IsZero() {
			t.Fatalf("record %d was not written when it returned", i)
		}
	}
	records = batch()
	records[500].Value = make([]byte, p.cfg.Kafka.MaxMessageBytes+1)
	if err := p.ProduceAll(t.Context(), records); !errors.Is(err, ErrUnavailable) || !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("with one that is too large: %v", err)
	}
	if err := p.ProduceAll(t.Context(), nil); err != nil {
		t.Errorf("no records: %v", err)
	}
}

func TestRunRefusesATopicOfAnotherShape(t *testing.T) {
	b := kafkatest.New(t)
	b.CreateTopic(t, 7, topic.DefaultNames().Raw)
	p, err := New(newConfig(b))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Run(t.Context()); failure.Of(err) != failure.Fatal {
		t.Errorf("got %v, want a Fatal error", err)
	}
	if err := produce(t.Context(), p); !errors.Is(err, ErrUnavailable) {
		t.Errorf("wrote to a topic of another shape: %v", err)
	}
}

// TestKafkaTakesNoRecordFromTheFuture: a clock that is more than an hour ahead of
// the broker's (message.timestamp.after.max.ms) is answered with a refusal, which
// the sender tries again, and not with a loss.
func TestKafkaTakesNoRecordFromTheFuture(t *testing.T) {
	b := kafkatest.Shared(t)
	if b == nil {
		t.Skip("needs Kafka itself, by HOOKSTREAM_TEST_BROKERS: the embedded broker takes any timestamp")
	}
	cfg := newConfig(b)
	b.CreateTopic(t, 1, topic.DefaultNames().Raw)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.checked.Store(true)
	ahead := &kgo.Record{Topic: cfg.Kafka.Topics.Raw, Timestamp: time.Now().Add(2 * time.Hour)}
	if err := p.Produce(t.Context(), ahead); !errors.Is(err, ErrUnavailable) || !errors.Is(err, kerr.InvalidTimestamp) {
		t.Errorf("two hours ahead: %v", err)
	}
	if err := produce(t.Context(), p); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
