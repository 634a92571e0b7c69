// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
)

// TestOffsetsOfAnotherTopicAreNotUsed: the new topic of an old name may have more
// records than the old one, and its first would be passed over.
func TestOffsetsOfAnotherTopicAreNotUsed(t *testing.T) {
	w := newWorld(t)
	batches := w.batches(t, w.records(t, newEvent("customer", "c", "e", 1, nil)))
	p := batches[0].Partition
	parts := []kafka.Partition{p}
	id := "old"
	w.store.cfg.TopicIDs = func(context.Context) (map[string]string, error) { return map[string]string{p.Topic: id}, nil }
	claims, err := w.store.TakeOver(t.Context(), parts)
	must(t, err)
	batches[0].Claim = claims[p]
	must(t, w.store.Apply(t.Context(), batches, nil))
	_, err = w.store.TakeOver(t.Context(), parts)
	must(t, err)

	id = "new"
	_, err = w.store.TakeOver(t.Context(), parts)
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "DELETE FROM hookstream.consumer_offsets WHERE consumer_group = 'test' AND topic = '"+p.Topic+"'") {
		t.Fatalf("TakeOver() = %v, want a Fatal error with what to run", err)
	}
	_, what, _ := strings.Cut(err.Error(), "run: ")
	statement, _, _ := strings.Cut(what, ";")
	_, err = w.pool.Exec(t.Context(), statement)
	must(t, err)
	claims, err = w.store.TakeOver(t.Context(), parts)
	must(t, err)
	if claims[p].Next != fenced.NeverRead {
		t.Errorf("goes on at %d, want the start", claims[p].Next)
	}
}
