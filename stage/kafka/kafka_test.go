// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafkatest"
)

var quiets = slog.New(slog.DiscardHandler)

// config is an installation of its own.
func config(t *testing.T) *Config {
	t.Helper()
	return installation(kafkatest.New(t))
}

func installation(b *kafkatest.Broker) *Config {
	return &Config{
		Brokers: b.Addresses, Topics: b.Topics(), Partitions: 3, Replication: -1, MaxMessageBytes: 1 << 20,
		Retention: 30 * 24 * time.Hour, DedupWindow: 72 * time.Hour,
	}
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
