// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/stage/failure"
)

func TestAwaitSaysWhatItWaitsFor(t *testing.T) {
	c := config(t)
	var told []string
	if err := c.AwaitTopics(t.Context(), client(t, c), quiets, func(ready bool, reason string) { told = append(told, fmt.Sprint(ready, " ", reason)) }); err != nil {
		t.Fatal(err)
	}
	if told[0] != "false waiting for Kafka" || told[1] != "false waiting for its topics to be checked or created" || told[len(told)-1] != "true " {
		t.Errorf("told %q", told)
	}
}

func ensure(t *testing.T, c *Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return c.EnsureTopics(ctx, client(t, c), quiets)
}

func TestTopicsAreCreatedOnce(t *testing.T) {
	c := config(t)
	var all sync.WaitGroup
	for range 3 { // services start together
		all.Go(func() {
			if err := ensure(t, c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := ensure(t, c); err != nil {
		t.Fatalf("a second start: %v", err)
	}
	topics, err := kadm.NewClient(client(t, c)).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Topics.Pipeline(event.Names(), c.Sizing()) {
		if got := len(topics[s.Name].Partitions); got != 3 {
			t.Errorf("%s has %d partitions", s.Name, got)
		}
	}
}

func TestTopicsThatExistAreChecked(t *testing.T) {
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	cases := map[string]struct {
		topic      func(*Config) string
		partitions int32
		settings   []string
		want       string // "" is accepted
	}{
		"as asked":         {raw, 3, []string{"retention.ms", ms(720 * time.Hour), "max.message.bytes", "1048576"}, ""},
		"keeps longer":     {raw, 3, []string{"retention.ms", ms(9000 * time.Hour), "max.message.bytes", "1048576"}, ""},
		"keeps for ever":   {raw, 3, []string{"retention.ms", "-1", "max.message.bytes", "1048576"}, ""},
		"larger records":   {raw, 3, []string{"retention.ms", "-1", "max.message.bytes", "9999999"}, ""},
		"more partitions":  {raw, 4, []string{"retention.ms", "-1", "max.message.bytes", "1048576"}, "has 4 partitions and HOOKSTREAM_PARTITIONS is 3"},
		"fewer partitions": {raw, 1, []string{"retention.ms", "-1", "max.message.bytes", "1048576"}, "has 1 partitions and HOOKSTREAM_PARTITIONS is 3"},
		"forgets too soon": {raw, 3, []string{"retention.ms", "1000", "max.message.bytes", "1048576"}, "has retention.ms=1000, needs 2592000000: kafka-configs.sh --alter"},
		"smaller records":  {raw, 3, []string{"retention.ms", "-1", "max.message.bytes", "1000"}, "has max.message.bytes=1000, needs 1048576"},
		"is compacted":     {raw, 3, []string{"cleanup.policy", "compact", "retention.ms", "-1", "max.message.bytes", "1048576"}, "has cleanup.policy=compact, needs delete"},
		"dead letters expire": {func(c *Config) string { return c.Topics.DeadLetters }, 3,
			[]string{"retention.ms", ms(9000 * time.Hour), "max.message.bytes", "1048576"}, "has retention.ms=32400000000, needs -1"},
		"resolutions are deleted": {func(c *Config) string { return c.Topics.Resolutions }, 3,
			[]string{"cleanup.policy", "delete", "max.message.bytes", "1048576"}, "has cleanup.policy=delete, needs compact"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := config(t)
			create(t, c, tc.topic(c), tc.partitions, tc.settings...)
			// A mismatch does not pass: waiting for it would end otherwise.
			err := ensure(t, c)
			switch {
			case tc.want == "" && err != nil:
				t.Fatal(err)
			case tc.want == "":
				return
			case failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "topic "+tc.topic(c)+" "+tc.want):
				t.Errorf("got %v, want a Fatal error with %q", err, tc.want)
			}
		})
	}
}

func raw(c *Config) string { return c.Topics.Raw }

func TestEveryMismatchIsNamed(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 1, "retention.ms", "1000", "max.message.bytes", "1048576")
	create(t, c, c.Topics.Dedup, 2, "max.message.bytes", "1048576", "retention.ms", "-1")
	err := ensure(t, c)
	for _, want := range []string{c.Topics.Raw + " has 1 partitions", c.Topics.Raw + " has retention.ms=1000", c.Topics.Dedup + " has 2 partitions"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

// TestReplicationWaitsForBrokers: those of a cluster that starts join one by one.
func TestReplicationWaitsForBrokers(t *testing.T) {
	c := config(t)
	c.Replication = 9
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reason := ""
	err := c.AwaitTopics(ctx, client(t, c), quiets, func(_ bool, why string) {
		if reason = why; strings.Contains(why, "HOOKSTREAM_REPLICATION") {
			cancel()
		}
	})
	if failure.Of(err) != failure.Transient || !strings.Contains(reason, "create topic "+c.Topics.Raw) || !strings.Contains(reason, "HOOKSTREAM_REPLICATION") {
		t.Errorf("waits for %q, %v", reason, err)
	}
}

func TestEnsureWaitsForKafkaUntilItsContextEnds(t *testing.T) {
	c := config(t)
	c.Brokers = []string{"127.0.0.1:1"}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var told []string
	err := c.AwaitTopics(ctx, client(t, c), quiets, func(ready bool, reason string) { told = append(told, fmt.Sprint(ready, " ", reason)) })
	if err == nil || failure.Of(err) != failure.Transient {
		t.Errorf("got %v", err)
	}
	if len(told) < 2 || told[0] != "false waiting for Kafka" || !strings.HasPrefix(told[1], "false waiting for Kafka: kafka: ") {
		t.Errorf("told %q", told)
	}
}
