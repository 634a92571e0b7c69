// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestHeldPartitionWaitsAndTheOthersGoOn: nothing of it is output while it is
// held, everything once it may go on.
func TestHeldPartitionWaitsAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	b.send(t, 0, 300)
	sick := kafka.Partition{Topic: b.in, Partition: 1}
	var (
		healed atomic.Bool
		tries  atomic.Int64
		theirs = map[string]bool{}
	)
	c := &copier{process: func(_ context.Context, rs []*kgo.Record) error {
		for _, r := range rs {
			if r.Partition == sick.Partition && !healed.Load() {
				tries.Add(1)
				return &kafka.Hold{Partitions: []kafka.Partition{sick}, For: 50 * time.Millisecond, Reason: "sick"}
			}
		}
		return nil
	}}
	var status runtest.Status
	cfg := b.config("a")
	cfg.Status = status.Set
	b.start(t, cfg, c)
	sent := b.sentTo(t, sick.Partition)
	runtest.Eventually(t, "the other partitions and some tries", func() bool {
		theirs = map[string]bool{}
		for v := range b.output(t) {
			theirs[v] = true
		}
		return len(theirs) == 300-len(sent) && tries.Load() > 3
	})
	for _, v := range sent {
		if theirs[v] {
			t.Errorf("%s of the held partition was output", v)
		}
	}
	if ready, reason := status.Get(); ready || !strings.Contains(reason, "sick") {
		t.Errorf("status is %v, %q", ready, reason)
	}
	healed.Store(true)
	b.wantOutput(t, 300)
	runtest.Eventually(t, "readiness", func() bool { ready, _ := status.Get(); return ready })
}
