// SPDX-License-Identifier: Apache-2.0

// Package kafkatest gives tests a Kafka: the one that HOOKSTREAM_TEST_BROKERS
// names, which tests share, or an embedded one for each test. Only tests
// import it.
package kafkatest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake" //nolint:depguard // only tests import this package
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/topic"
)

// TB is the part of testing.TB that is needed here.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(func())
	Fatal(args ...any)
	Skip(args ...any)
	Log(args ...any)
}

const variable = "HOOKSTREAM_TEST_BROKERS"

// cleanupTimeout bounds the removal of a test's topics and groups.
const cleanupTimeout = 30 * time.Second

// Broker is a Kafka, and the names in it that belong to one test.
type Broker struct {
	// Addresses are the bootstrap brokers.
	Addresses []string
	// Prefix begins all names of the test. An embedded broker has no other
	// tests, so there it is empty.
	Prefix string
}

// New gives a test the shared Kafka, or an embedded one with these options.
func New(t TB, opts ...kfake.Opt) *Broker {
	t.Helper()
	if b := Shared(t); b != nil {
		return b
	}
	return &Broker{Addresses: embedded(t, opts).ListenAddrs()}
}

// Shared gives a test the Kafka that HOOKSTREAM_TEST_BROKERS names, or nil. The
// test's topics and groups are removed when it ends.
func Shared(t TB) *Broker {
	t.Helper()
	addresses := os.Getenv(variable)
	if addresses == "" {
		return nil
	}
	b := &Broker{Addresses: strings.Split(addresses, ","), Prefix: "test-" + strings.ToLower(rand.Text()[:12]) + "."}
	t.Cleanup(func() { b.remove(t) })
	return b
}

// Fake gives a test an embedded broker to control. Where Kafka is a real one the
// test is skipped: why says what a real one does not do on request.
func Fake(t TB, why string, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	if os.Getenv(variable) != "" {
		t.Skip("needs the embedded broker, not " + variable + ": " + why)
	}
	return embedded(t, opts)
}

func embedded(t TB, opts []kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Embedded says that no other test uses the broker.
func (b *Broker) Embedded() bool { return b.Prefix == "" }

// Name makes a name of a topic, a group or a transactional id the test's own.
func (b *Broker) Name(name string) string { return b.Prefix + name }

// Topics are an installation's topics of the test's own.
func (b *Broker) Topics() topic.Names { return topic.DefaultNames().Prefixed(b.Prefix) }

// CreateTopic makes a topic and returns its name, which is Name(name). Settings
// are key, value, and so on.
func (b *Broker) CreateTopic(t TB, partitions int32, name string, settings ...string) string {
	t.Helper()
	configs := map[string]*string{}
	for pair := range slices.Chunk(settings, 2) {
		configs[pair[0]] = &pair[1]
	}
	err := b.do(func(admin *kadm.Client) error {
		if _, err := admin.CreateTopic(t.Context(), partitions, -1, configs, b.Name(name)); err != nil {
			return err
		}
		return served(t.Context(), admin, b.Name(name))
	})
	if err != nil {
		t.Fatal("create topic", b.Name(name), err)
	}
	return b.Name(name)
}

// DeleteTopic deletes a topic, with its prefix, and waits until it is gone.
func (b *Broker) DeleteTopic(t TB, topic string) {
	t.Helper()
	err := b.do(func(admin *kadm.Client) error {
		if _, err := admin.DeleteTopic(t.Context(), topic); err != nil {
			return err
		}
		return until(t.Context(), func(ctx context.Context) error {
			topics, err := admin.ListTopics(ctx, topic)
			if err == nil && topics.Has(topic) {
				err = errors.New("it is still there")
			}
			return err
		})
	})
	if err != nil {
		t.Fatal("delete topic", topic, err)
	}
}

// AddPartitions raises the number of a topic's partitions, as nobody should.
func (b *Broker) AddPartitions(t TB, topic string, add int) {
	t.Helper()
	err := b.do(func(admin *kadm.Client) error {
		added, err := admin.CreatePartitions(t.Context(), add, topic)
		if err != nil {
			return err
		}
		return added.Error()
	})
	if err != nil {
		t.Fatal("add partitions to", topic, err)
	}
}

// served waits until a new topic's partitions can be asked for: the controller
// answers before the brokers know of them.
func served(ctx context.Context, admin *kadm.Client, topic string) error {
	return until(ctx, func(ctx context.Context) error {
		offsets, err := admin.ListEndOffsets(ctx, topic)
		if err == nil {
			err = offsets.Error()
		}
		return err
	})
}

// until tries again while look fails.
func until(ctx context.Context, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, servedWithin)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := look(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		<-tick.C
	}
}

const servedWithin = 30 * time.Second

// End is the end of a partition's log.
const End = -1

// DeleteRecords deletes the records of a partition before an offset or End, as
// retention does.
func (b *Broker) DeleteRecords(t TB, topic string, partition int32, before int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(topic, partition, before, -1)
	err := b.do(func(admin *kadm.Client) error {
		deleted, err := admin.DeleteRecords(t.Context(), offsets)
		if err != nil {
			return err
		}
		return deleted.Error()
	})
	if err != nil {
		t.Fatal("delete records of", topic, err)
	}
}

// do does something as an administrator.
func (b *Broker) do(f func(*kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addresses...))
	if err != nil {
		return err
	}
	defer client.Close()
	return f(kadm.NewClient(client))
}

// remove deletes what the test left. What cannot be deleted does no harm: no
// other test has its name.
func (b *Broker) remove(t TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	err := b.do(func(admin *kadm.Client) error {
		topics, err := admin.ListTopics(ctx)
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		if _, err := admin.DeleteTopics(ctx, b.own(topics.Names())...); err != nil {
			return fmt.Errorf("delete topics: %w", err)
		}
		groups, err := admin.ListGroups(ctx)
		if err != nil {
			return fmt.Errorf("list groups: %w", err)
		}
		_, err = admin.DeleteGroups(ctx, b.own(groups.Groups())...)
		return err
	})
	if err != nil {
		t.Log("left behind on the broker under", b.Prefix, err)
	}
}

// own picks the test's own names.
func (b *Broker) own(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, b.Prefix) })
}
