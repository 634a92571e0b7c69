// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"maps"
	"testing"

	"github.com/hookstream/hookstream/stage/metricstest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestEveryFailureIsCounted, by what failed: the take-over, the attempt, and the
// look at whose the partitions are that follows it.
func TestEveryFailureIsCounted(t *testing.T) {
	metrics := metricstest.Record(t)
	b, db := newBroker(t, 1), newMemory()
	store := &faulty{memory: db}
	once := func(hook *func() error) {
		*hook = func() error {
			store.set(func() { *hook = nil })
			return errAway
		}
	}
	once(&store.takeOver)
	once(&store.before)
	once(&store.look)
	b.start(t, store)
	b.send(t, 0, 10)
	db.await(t, 10)
	var got map[string]int64
	want := map[string]int64{"claim transient": 2, "batch transient": 1}
	runtest.Eventually(t, "three failures", func() bool {
		got = metrics.Values("hookstream.consumer.failures", "work", "error_type")
		return maps.Equal(got, want)
	})
}
