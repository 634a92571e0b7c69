// SPDX-License-Identifier: Apache-2.0

package kafkatest_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafkatest"
)

func TestTestsShareNothing(t *testing.T) {
	a, b := kafkatest.New(t), kafkatest.New(t)
	first, second := a.CreateTopic(t, 1, "same", "retention.ms", "-1"), b.CreateTopic(t, 1, "same")
	if first == second && !a.Embedded() {
		t.Errorf("two tests have the topic %s", first)
	}
	if a.Topics().Raw != a.Name("hookstream.raw") {
		t.Errorf("raw topic %s", a.Topics().Raw)
	}
}

func TestWhatIsSharedIsCleanedUp(t *testing.T) {
	var prefix string
	t.Run("test", func(t *testing.T) {
		b := kafkatest.Shared(t)
		if b == nil {
			t.Skip("an embedded broker ends with its test: set HOOKSTREAM_TEST_BROKERS")
		}
		prefix = b.Prefix
		topic := b.CreateTopic(t, 1, "topic")
		var offsets kadm.Offsets
		offsets.AddOffset(topic, 0, 0, -1)
		if err := admin(t, b).CommitAllOffsets(t.Context(), b.Name("group"), offsets); err != nil {
			t.Fatal(err)
		}
		if len(left(t, b, prefix)) != 2 {
			t.Errorf("made %v, want a topic and a group", left(t, b, prefix))
		}
	})
	if prefix == "" {
		return
	}
	if names := left(t, kafkatest.Shared(t), prefix); len(names) > 0 {
		t.Errorf("left behind: %v", names)
	}
}

func admin(t *testing.T, b *kafkatest.Broker) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addresses...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// left are the topics and groups under a prefix.
func left(t *testing.T, b *kafkatest.Broker, prefix string) []string {
	t.Helper()
	topics, err := admin(t, b).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := admin(t, b).ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range append(topics.Names(), groups.Groups()...) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}
