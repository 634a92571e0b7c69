// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafka"
)

// forgetful notes what it forgot.
type forgetful struct{ forgot []kafka.Partition }

func (f *forgetful) Restore(context.Context, []kafka.Partition) error { return nil }
func (f *forgetful) Forget(parts []kafka.Partition)                   { f.forgot = append(f.forgot, parts...) }
func (f *forgetful) Process(context.Context, []*kgo.Record) (Output, error) {
	return Output{}, nil
}

func polled(p kafka.Partition, n int) kgo.Fetches {
	fp := kgo.FetchPartition{Partition: p.Partition}
	for range n {
		fp.Records = append(fp.Records, &kgo.Record{Topic: p.Topic, Partition: p.Partition})
	}
	return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: p.Topic, Partitions: []kgo.FetchPartition{fp}}}}}
}

func TestOwnership(t *testing.T) {
	p := kafka.Partition{Topic: "t", Partition: 3}
	proc := &forgetful{}
	o := newOwnership(proc)
	steps := []struct {
		what      string
		changes   []change
		restore   bool
		revoked   bool
		fresh     int
		process   bool
		forgotten int
	}{
		{what: "nobody's", process: false},
		{what: "assigned", changes: []change{{true, []kafka.Partition{p}}}, fresh: 1},
		{what: "restored", restore: true, process: true},
		{what: "assigned again without a revocation", changes: []change{{true, []kafka.Partition{p}}}, fresh: 1},
		{what: "restored again", restore: true, process: true},
		{what: "went and came back", changes: []change{{false, []kafka.Partition{p}}, {true, []kafka.Partition{p}}}, revoked: true, fresh: 1, forgotten: 1},
		{what: "restored once more", restore: true, process: true, forgotten: 1},
		{what: "revoked", changes: []change{{false, []kafka.Partition{p}}}, revoked: true, forgotten: 2},
	}
	for _, s := range steps {
		if got := o.apply(s.changes); got != s.revoked {
			t.Errorf("%s: revoked is %v", s.what, got)
		}
		if s.restore {
			o.restored(o.fresh())
		}
		if got := len(o.fresh()); got != s.fresh {
			t.Errorf("%s: %d fresh partitions, want %d", s.what, got, s.fresh)
		}
		if got := o.restoredAll(polled(p, 1)); got != s.process {
			t.Errorf("%s: may be processed: %v", s.what, got)
		}
		if got := len(proc.forgot); got != s.forgotten {
			t.Errorf("%s: forgotten %d times, want %d", s.what, got, s.forgotten)
		}
	}
	if !o.restoredAll(polled(p, 0)) {
		t.Error("a fetch without records needs no state")
	}
}
