// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// onTopics is a run of OnTopics, and what it says.
type onTopics struct {
	*runtest.Run
	begun, ended atomic.Int64
	said         atomic.Pointer[string]
}

func startOnTopics(t *testing.T, c *Config) *onTopics {
	t.Helper()
	o := &onTopics{}
	status := func(ready bool, reason string) { said := fmt.Sprint(ready, " ", reason); o.said.Store(&said) }
	status(false, "")
	o.Run = runtest.Start(t, func(ctx context.Context) error {
		return c.OnTopics(ctx, "test", quiets, status, func(ctx context.Context) error {
			o.begun.Add(1)
			<-ctx.Done()
			o.ended.Add(1)
			return nil
		})
	})
	o.working(t, 1)
	return o
}

// working waits until the n-th piece of work goes on, alone, and everything is ready.
func (o *onTopics) working(t *testing.T, n int64) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("work %d on the topics", n), func() bool {
		return o.begun.Load() >= n && o.ended.Load() == o.begun.Load()-1 && *o.said.Load() == "true "
	})
}

func (o *onTopics) says(t *testing.T, what string) {
	t.Helper()
	runtest.Eventually(t, "the status "+what, func() bool { return strings.Contains(*o.said.Load(), what) })
}

func TestWorkBeginsAnewOnANewTopic(t *testing.T) {
	t.Parallel()
	b := kafkatest.New(t)
	c := installation(b)
	o := startOnTopics(t, c)
	b.DeleteTopic(t, c.Topics.Raw)
	recreate(t, c)
	o.working(t, 2)
}

// recreate makes the topics that are missing, as an operator may.
func recreate(t *testing.T, c *Config) {
	t.Helper()
	if err := ensure(t, c); err != nil {
		t.Fatal(err)
	}
}

func TestADeletedTopicIsNamedAndCreated(t *testing.T) {
	t.Parallel()
	b := kafkatest.New(t)
	c := installation(b)
	o := startOnTopics(t, c)
	b.DeleteTopic(t, c.Topics.Dedup)
	o.says(t, "false Kafka has no topic "+c.Topics.Dedup+": it was deleted")
	o.working(t, 2)
}

func TestANewTopicOfAnotherShapeIsRefused(t *testing.T) {
	t.Parallel()
	b := kafkatest.New(t)
	c := installation(b)
	o := startOnTopics(t, c)
	b.DeleteTopic(t, c.Topics.Raw)
	b.CreateTopic(t, 5, topic.DefaultNames().Raw)
	err := o.Wait()
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), c.Topics.Raw+" has 5 partitions and HOOKSTREAM_PARTITIONS is 3") {
		t.Errorf("got %v", err)
	}
}

// TestAddedPartitionsAreTold: nothing is wrong yet, and the next start is refused.
func TestAddedPartitionsAreTold(t *testing.T) {
	t.Parallel()
	b := kafkatest.New(t)
	c := installation(b)
	o := startOnTopics(t, c)
	b.AddPartitions(t, c.Topics.Raw, 2)
	o.says(t, "true partitions were added: "+c.Topics.Raw+" has 5, and HOOKSTREAM_PARTITIONS is 3.")
	if o.begun.Load() != 1 || o.ended.Load() != 0 {
		t.Error("the work began anew")
	}
}
