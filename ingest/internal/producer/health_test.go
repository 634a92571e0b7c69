// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestReadinessFollowsWhatProducingGives: Kafka answers, and does not acknowledge.
func TestReadinessFollowsWhatProducingGives(t *testing.T) {
	said := ""
	h := health{tell: func(ready bool, reason string) { said = fmt.Sprint(ready, " ", reason) }}
	now := time.Now()
	expect := func(when, want string) {
		t.Helper()
		h.judge(now)
		now = now.Add(judgeEvery)
		if said != want {
			t.Errorf("%s: says %q, want %q", when, said, want)
		}
	}
	h.topics(false, "waiting for Kafka")
	expect("at the start", "false waiting for Kafka")
	h.topics(true, "")
	h.opened()
	expect("once open", "true ")
	h.produced(kerr.NotEnoughReplicas)
	h.produced(kerr.NotEnoughReplicas)
	expect("after a hiccup", "true ")
	h.produced(nil)
	h.produced(kerr.NotEnoughReplicas)
	expect("with an acknowledgement between", "true ")
	for range failuresMost {
		h.produced(fmt.Errorf("x: %w", kerr.MessageTooLarge))
	}
	expect("where only records are to blame", "true ")
	for range failuresMost {
		h.produced(errors.New("no replicas"))
	}
	const refused = "false webhooks are not acknowledged: no replicas"
	for range int(tryAgain / judgeEvery) {
		expect("without acknowledgements", refused)
	}
	expect("when nobody has tried for a while", "true ")
	for range failuresMost {
		h.produced(errors.New("no replicas"))
	}
	expect("where it fails again", refused)
	h.topics(true, "partitions were added")
	expect("while the topics are looked at", refused)
	h.produced(nil)
	expect("once acknowledged", "true partitions were added")
}

// TestTheEdgeGoesOnWithANewTopic: the client alone would refuse records of a topic
// that was deleted and created again, for ever.
func TestTheEdgeGoesOnWithANewTopic(t *testing.T) {
	b := kafkatest.New(t)
	cfg := newConfig(b)
	cfg.Timeout = 2 * time.Second
	ready := whenReady(&cfg)
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	runtest.Start(t, p.Run)
	<-ready
	if err := produce(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	b.DeleteTopic(t, cfg.Kafka.Topics.Raw)
	runtest.Eventually(t, "an acknowledgement of the new topic", func() bool { return produce(t.Context(), p) == nil })
}
