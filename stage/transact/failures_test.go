// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/metricstest"
)

// TestEveryFailureIsCounted: what is tried again in place, and what ends a session.
func TestEveryFailureIsCounted(t *testing.T) {
	metrics := metricstest.Record(t)
	cluster, b := newFake(t, "Kafka refuses no sound record once and takes it the next time")
	b.send(t, 0, 10)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.out, Err: kerr.InvalidRecord, Count: 1})
	var restored, processed atomic.Bool
	once := func(done *atomic.Bool) error {
		if done.Swap(true) {
			return nil
		}
		return errPassing
	}
	b.start(t, b.config("a"), &copier{
		restore: func(context.Context, []kafka.Partition) error { return once(&restored) },
		process: func(context.Context, []*kgo.Record) error { return once(&processed) },
	})
	b.wantOutput(t, 10)
	got := metrics.Values("hookstream.consumer.failures", "work", "error_type")
	if want := map[string]int64{"restore transient": 1, "batch transient": 1, "batch INVALID_RECORD": 1, "session INVALID_RECORD": 1}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
