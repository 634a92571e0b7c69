// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"crypto/rand"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/topic"
)

var quiets = slog.New(slog.DiscardHandler)

// config is an installation of its own, on the broker that
// HOOKSTREAM_TEST_BROKERS names or on a fake one.
func config(t *testing.T, opts ...kfake.Opt) *Config {
	t.Helper()
	c := &Config{
		Topics: topic.DefaultNames(), Partitions: 3, Replication: -1, MaxMessageBytes: 1 << 20,
		Retention: 30 * 24 * time.Hour, DedupWindow: 72 * time.Hour,
	}
	if brokers := os.Getenv("HOOKSTREAM_TEST_BROKERS"); brokers != "" && len(opts) == 0 {
		c.Brokers = strings.Split(brokers, ",")
		prefix := "t" + strings.ToLower(rand.Text()[:8]) + "."
		for _, name := range []*string{&c.Topics.Raw, &c.Topics.Dedup, &c.Topics.DeadLetters, &c.Topics.Resolutions, &c.Topics.SinkReplay, &c.Topics.EventsPrefix} {
			*name = prefix + *name
		}
		return c
	}
	c.Brokers = cluster(t, opts...).ListenAddrs()
	return c
}

func cluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func client(t *testing.T, c *Config, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := c.NewClient("test", quiets, more...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// create makes a topic with these settings, given as key, value, ….
func create(t *testing.T, c *Config, name string, partitions int32, settings ...string) {
	t.Helper()
	configs := map[string]*string{}
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = &settings[i+1]
	}
	if _, err := kadm.NewClient(client(t, c)).CreateTopic(t.Context(), partitions, -1, configs, name); err != nil {
		t.Fatal(err)
	}
}
