// SPDX-License-Identifier: Apache-2.0

package action

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
)

// TestWhatIsHeldIsBounded over all partitions: what no writer takes ends the
// filling when the room is full.
func TestWhatIsHeldIsBounded(t *testing.T) {
	const partitions, room = 50, 64 << 10
	r := &run{
		Job: &Job{
			Kafka: &kafka.Config{}, Action: record.Discarded, Why: strings.Repeat("x", 1000), BatchSize: 1000,
			Now: func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) },
		},
		plan: &Plan{}, resolved: resolutions.New(), writers: map[int32]*writer{}, room: semaphore.NewWeighted(room),
	}
	for p := range int32(partitions) {
		r.writers[p] = &writer{batches: make(chan batch)}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is waited for
	var err error
	added := 0
	for ; err == nil && added < 10*room/1000; added++ {
		id := fmt.Sprint("transform:raw/0/", added)
		err = r.add(ctx, &letters.Letter{
			DeadLetter: &record.DeadLetter{}, ID: id, Digest: letters.DigestOf(id),
			At: record.Position{Partition: int32(added % partitions)},
		})
	}
	if !errors.Is(err, context.Canceled) || added > room/1000 || added < partitions {
		t.Errorf("after %d dead letters: %v", added, err)
	}
}

// TestTheLargestBatchMakesRoom, so that batches stay large.
func TestTheLargestBatchMakesRoom(t *testing.T) {
	small, large := &writer{batches: make(chan batch)}, &writer{batches: make(chan batch)}
	small.next, large.next = batch{letters: 1, bytes: 10, held: 10}, batch{letters: 1, bytes: 90, held: 90}
	r := &run{writers: map[int32]*writer{0: small, 1: large}, room: semaphore.NewWeighted(100)}
	if !r.room.TryAcquire(100) {
		t.Fatal("there is no room")
	}
	rec := &kgo.Record{Value: make([]byte, 20)}
	go func() {
		r.room.Release(50) // the batch before is committed
		<-large.batches
	}()
	if err := r.hold(t.Context(), small, []*kgo.Record{rec}); err != nil {
		t.Fatal(err)
	}
	if small.next.bytes <= 10 || large.next.letters != 0 {
		t.Errorf("the batches are %+v and %+v", small.next, large.next)
	}
}
