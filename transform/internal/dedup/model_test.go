// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"context"
	"encoding/binary"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/stage/kafka"
)

const window = time.Hour

func fingerprint(n int) identity.Fingerprint {
	var f identity.Fingerprint
	binary.BigEndian.PutUint64(f[8:], uint64(n))
	return f
}

// model is what deduplication promises: an event is known for the window after
// it was accepted, and at most a bucket longer.
type model struct {
	log      []*kgo.Record // the committed changelog
	accepted map[kafka.Partition]map[identity.Fingerprint]acceptance
}

type acceptance struct {
	at   time.Time
	mark identity.Mark
}

// machine runs a model and the real sets through the same life.
type machine struct {
	now   time.Time
	model model
	sets  *Sets
	parts []kafka.Partition
}

func newMachine(t *rapid.T) *machine {
	m := &machine{
		now:   time.UnixMilli(rapid.Int64Range(0, 2_000_000_000_000).Draw(t, "start")),
		parts: []kafka.Partition{{Topic: "raw", Partition: 0}, {Topic: "raw", Partition: 1}, {Topic: "other", Partition: 0}},
		model: model{accepted: map[kafka.Partition]map[identity.Fingerprint]acceptance{}},
	}
	for _, p := range m.parts {
		m.model.accepted[p] = map[identity.Fingerprint]acceptance{}
	}
	m.restart(t)
	return m
}

// restart begins with new sets and restores all partitions.
func (m *machine) restart(t *rapid.T) {
	sets, err := New(Config{Topic: "dedup", Window: window, MaxMessageBytes: 1024 + 3*20, Now: func() time.Time { return m.now }})
	if err != nil {
		t.Fatal(err)
	}
	m.sets = sets
	m.restore(t, m.parts)
}

func (m *machine) restore(t *rapid.T, parts []kafka.Partition) {
	l := m.sets.newLoader(parts)
	for _, r := range m.model.log {
		if err := l.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.use(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// transaction accepts new events, and commits them or not.
func (m *machine) transaction(t *rapid.T) {
	tx := m.sets.Begin()
	added := map[kafka.Partition]map[identity.Fingerprint]identity.Mark{}
	for range rapid.IntRange(0, 12).Draw(t, "events") {
		p := rapid.SampledFrom(m.parts).Draw(t, "partition")
		f := fingerprint(rapid.IntRange(0, 20).Draw(t, "event"))
		got, known, err := tx.Lookup(p, f)
		if err != nil {
			t.Fatal(err)
		}
		m.check(t, p, f, added[p], got, known)
		if known {
			continue
		}
		mark := identity.Mark{rapid.Byte().Draw(t, "mark"), 0, 0, 1}
		if err := tx.Add(p, f, mark); err != nil {
			t.Fatal(err)
		}
		if added[p] == nil {
			added[p] = map[identity.Fingerprint]identity.Mark{}
		}
		added[p][f] = mark
	}
	if rapid.Bool().Draw(t, "aborts") {
		return
	}
	for _, r := range tx.Records() {
		r.Timestamp = r.Timestamp.Truncate(time.Millisecond) // as Kafka keeps it
		m.model.log = append(m.model.log, r)
	}
	tx.Commit(context.Background())
	for p, marks := range added {
		for f, mark := range marks {
			m.model.accepted[p][f] = acceptance{m.now, mark}
		}
	}
}

// check compares a lookup with the promise.
func (m *machine) check(t *rapid.T, p kafka.Partition, f identity.Fingerprint, pending map[identity.Fingerprint]identity.Mark, got identity.Mark, known bool) {
	if mark, ok := pending[f]; ok {
		if !known || got != mark {
			t.Fatalf("%x was added in this transaction as %v; lookup gave %v, %v", f, mark, got, known)
		}
		return
	}
	a, ever := m.model.accepted[p][f]
	age := m.now.Sub(a.at)
	switch {
	case known && (!ever || got != a.mark):
		t.Fatalf("%x of %s is known as %v; the model has %v, %v", f, p, got, a.mark, ever)
	case !known && ever && age < window:
		t.Fatalf("%x of %s was forgotten after %s, inside the window", f, p, age)
	case known && age > window+window/bucketsPerWindow+time.Millisecond:
		t.Fatalf("%x of %s is still known after %s", f, p, age)
	}
}

// contents are the live entries of a partition.
func (s *Sets) contents(p kafka.Partition, now time.Time) map[identity.Fingerprint]identity.Mark {
	all := map[identity.Fingerprint]identity.Mark{}
	for _, b := range s.sets[p].buckets {
		if !s.sets[p].expired(b.number, now) {
			maps.Insert(all, b.marks.all())
		}
	}
	return all
}

// crash compares the sets before a crash with the restored ones.
func (m *machine) crash(t *rapid.T) {
	before := m.sets
	m.restart(t)
	for _, p := range m.parts {
		lost, restored := before.contents(p, m.now), m.sets.contents(p, m.now)
		if !maps.Equal(lost, restored) {
			t.Fatalf("%s: %d entries before the crash, %d restored", p, len(lost), len(restored))
		}
		if n := m.sets.sets[p].size; n != len(restored) {
			t.Fatalf("%s counts %d entries and holds %d", p, n, len(restored))
		}
	}
}

// The set after a restore is the set before the crash, whatever was added,
// committed, aborted and moved, and keeps its promise all along.
func TestRestoredSetEqualsTheLostOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"transaction": m.transaction,
			"crash":       m.crash,
			"time passes": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.Int64Range(1, int64(window)).Draw(t, "time")))
			},
			"rebalance": func(t *rapid.T) {
				p := rapid.SampledFrom(m.parts).Draw(t, "partition")
				if rapid.Bool().Draw(t, "revocation is told") {
					m.sets.Forget([]kafka.Partition{p})
				}
				m.restore(t, []kafka.Partition{p})
			},
		})
	})
}
