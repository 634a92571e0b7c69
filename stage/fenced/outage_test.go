// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestKafkaAwayIsNotReady: a consumer that lost its group and its partitions says
// so, until it has them again; and it ends when it is told to, meanwhile, too.
func TestKafkaAwayIsNotReady(t *testing.T) {
	cluster := kafkatest.Fake(t, "be away")
	var away atomic.Bool
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errors.New("away"), away.Load() // which closes the connection
	})
	b, db := brokerOf(t, cluster), newMemory()
	status := &runtest.Status{}
	loop := fenced.New(fenced.Config{
		Kafka: b.cfg, Group: b.group, Topics: []string{b.in}, ClientID: "applier", Status: status.Set,
		MaxRecords: 50, SessionTimeout: 6 * time.Second, DrainTimeout: 10 * time.Second, Log: runtest.Logger(),
	}, db)
	b.send(t, 0, 20)
	r := runtest.Start(t, loop.Run)
	db.await(t, 20)
	isReady := func() bool { ready, _ := status.Get(); return ready }
	isAway := func() bool { ready, reason := status.Get(); return !ready && strings.Contains(reason, "kafka: ") }
	runtest.Eventually(t, "readiness", isReady)
	away.Store(true)
	runtest.Eventually(t, "that Kafka is away", isAway)
	runtest.Eventually(t, "that no broker answers", func() bool {
		_, reason := status.Get()
		return strings.Contains(reason, "reach a broker")
	})
	away.Store(false)
	runtest.Eventually(t, "readiness after it", isReady)
	b.send(t, 20, 40)
	db.await(t, 40)
	db.wantOnce(t, 40)
	away.Store(true)
	runtest.Eventually(t, "that Kafka is away again", isAway)
	r.Stop()
}

// brokerOf is a broker in a cluster that the test controls.
func brokerOf(t *testing.T, cluster *kfake.Cluster) *broker {
	t.Helper()
	k := &kafkatest.Broker{Addresses: cluster.ListenAddrs()}
	b := &broker{
		in: k.CreateTopic(t, 2, "in"), group: "appliers",
		cfg: &kafka.Config{Brokers: k.Addresses, MaxMessageBytes: 1 << 20, Topics: k.Topics()},
	}
	var err error
	if b.client, err = b.cfg.NewClient("test", runtest.Logger()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	return b
}
