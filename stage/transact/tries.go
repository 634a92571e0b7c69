// SPDX-License-Identifier: Apache-2.0

package transact

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// tries counts the failed tries at the records of each partition since its last
// commit, also beyond the session that a failure ended: the records are read
// again. It is empty while nothing fails.
type tries map[kafka.Partition]tried

type tried struct {
	// last is the offset of the last record that was tried.
	last     int64
	failures int
	since    time.Time
}

// failed counts a try at in.
func (t tries) failed(in []*kgo.Record, now time.Time) {
	for p, ends := range endsOf(in) {
		was := t[p]
		if was.failures == 0 || ends.first > was.last {
			was = tried{since: now}
		}
		was.failures++
		was.last = max(was.last, ends.last)
		t[p] = was
	}
}

// next is the try at in that is to be made: of a batch, as for the partition that
// failed most.
func (t tries) next(in []*kgo.Record) failure.Tries {
	next := failure.Once
	if len(t) == 0 {
		return next
	}
	for p, ends := range endsOf(in) {
		if was := t[p]; was.failures >= next.Count && ends.first <= was.last {
			next = failure.Tries{Count: was.failures + 1, Since: was.since}
		}
	}
	return next
}

// done forgets the partitions of in, which was committed.
func (t tries) done(in []*kgo.Record) {
	if len(t) == 0 {
		return
	}
	for p, ends := range endsOf(in) {
		if ends.last >= t[p].last {
			delete(t, p)
		}
	}
}

// ends are the first and the last offset of a partition's records.
type ends struct{ first, last int64 }

func endsOf(in []*kgo.Record) map[kafka.Partition]ends {
	all := map[kafka.Partition]ends{}
	for _, r := range in {
		p := kafka.Partition{Topic: r.Topic, Partition: r.Partition}
		e, ok := all[p]
		if !ok {
			e.first = r.Offset
		}
		e.last = r.Offset
		all[p] = e
	}
	return all
}
