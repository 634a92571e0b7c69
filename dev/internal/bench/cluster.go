// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/schemas/topic"
)

// brokersVariable names a real Kafka, as it does for the tests.
const brokersVariable = "HOOKSTREAM_TEST_BROKERS"

// onKafka reports whether benchmarks run on a real one.
func onKafka() bool { return os.Getenv(brokersVariable) != "" }

// ResultsFile is where results are kept: those of a real Kafka apart.
func ResultsFile() string {
	if onKafka() {
		return "bench/results-kafka.json"
	}
	return "bench/results.json"
}

func kafkaInWords() string {
	if onKafka() {
		return "real Kafka"
	}
	return "embedded broker"
}

// cluster is the Kafka that a benchmark runs on: one that it shares with others,
// where all its names have a prefix, or the embedded broker in a process of its
// own, whose records stay in memory.
type cluster struct {
	brokers []string
	prefix  string
	// process is nil for a real Kafka, whose CPU is not seen.
	process *process
}

func (r *Run) startCluster(ctx context.Context) (*cluster, error) {
	if list := os.Getenv(brokersVariable); list != "" {
		return &cluster{brokers: strings.Split(list, ","), prefix: fmt.Sprintf("bench-%s-%x.", r.benchmark.Name, time.Now().UnixMilli())}, nil
	}
	p, err := r.spawn(ctx, "broker")
	if err != nil {
		return nil, err
	}
	return &cluster{brokers: []string{p.address}, process: p}, nil
}

// args are what a server needs to find it.
func (c *cluster) args(more ...string) []string {
	return append([]string{"--brokers", strings.Join(c.brokers, ","), "--prefix", c.prefix}, more...)
}

func (c *cluster) names() topic.Names { return topic.DefaultNames().Prefixed(c.prefix) }

// stop ends the broker, or removes what the benchmark made on a shared one.
func (c *cluster) stop(ctx context.Context) error {
	if c == nil {
		return nil
	}
	if c.process != nil {
		return c.process.stop()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	return c.clean(ctx)
}

func (c *cluster) clean(ctx context.Context) error {
	cfg, err := benchKafka(c.brokers, c.prefix)
	if err != nil {
		return err
	}
	client, err := cfg.NewClient("bench-clean", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, topicsErr := admin.ListTopics(ctx)
	groups, groupsErr := admin.ListGroups(ctx)
	if err := errors.Join(topicsErr, groupsErr); err != nil {
		return err
	}
	_, topicsErr = admin.DeleteTopics(ctx, c.own(topics.Names())...)
	_, groupsErr = admin.DeleteGroups(ctx, c.own(groups.Groups())...)
	return errors.Join(topicsErr, groupsErr)
}

// own are the names that begin with the prefix.
func (c *cluster) own(names []string) (own []string) {
	for _, name := range names {
		if strings.HasPrefix(name, c.prefix) {
			own = append(own, name)
		}
	}
	return own
}
