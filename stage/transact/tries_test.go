// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/failure"
)

// TestTriesAreCounted in place and beyond the session that a failed transaction
// ends, from the time of the first failure, until the records are committed.
func TestTriesAreCounted(t *testing.T) {
	t.Parallel()
	cluster, b := newFake(t, "Kafka refuses no sound record once and takes it the next time")
	b.send(t, 0, 10)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.out, Err: kerr.InvalidRecord, Count: 1})
	var mu sync.Mutex
	var tries []failure.Tries
	b.start(t, b.config("a"), &copier{process: func(ctx context.Context, _ []*kgo.Record) error {
		mu.Lock()
		defer mu.Unlock()
		now, _ := failure.TriesOf(ctx)
		if tries = append(tries, now); len(tries) == 1 {
			return errPassing
		}
		return nil
	}})
	b.wantOutput(t, 10)
	b.send(t, 10, 20)
	b.wantOutput(t, 20)
	mu.Lock()
	defer mu.Unlock()
	if len(tries) < 4 || tries[0] != failure.Once || tries[1].Count != 2 || tries[2].Count != 3 || tries[len(tries)-1] != failure.Once {
		t.Fatalf("tried %v, want the first records three times, and the last once", tries)
	}
	if first := tries[1].Since; first.IsZero() || !tries[2].Since.Equal(first) {
		t.Errorf("failed since %v, then since %v", first, tries[2].Since)
	}
}
