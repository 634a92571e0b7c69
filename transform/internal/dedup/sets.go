// SPDX-License-Identifier: Apache-2.0

// Package dedup recognizes repeated deliveries. It remembers the identity of
// every accepted event for a window, per raw partition, and writes what a
// transaction adds to a changelog topic, from which another instance rebuilds
// it.
package dedup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Config of Sets.
type Config struct {
	// Topic is the changelog.
	Topic string
	// Window is how long an event is remembered at least.
	Window time.Duration
	// MaxEntries bounds the memory of all partitions together; 0 is no bound.
	MaxEntries int
	// MaxMessageBytes bounds a changelog record.
	MaxMessageBytes int32
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Sets holds the sets of the raw partitions that this instance owns. It is for
// one goroutine.
type Sets struct {
	cfg     Config
	sets    map[kafka.Partition]*set
	metrics metrics
}

// New makes Sets without partitions.
func New(cfg Config) (*Sets, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	m, err := newMetrics()
	if err != nil {
		return nil, err
	}
	m.window.Record(context.Background(), cfg.Window.Seconds())
	return &Sets{cfg: cfg, sets: map[kafka.Partition]*set{}, metrics: m}, nil
}

// Forget drops the sets of partitions that were taken away.
func (s *Sets) Forget(parts []kafka.Partition) {
	for _, p := range parts {
		delete(s.sets, p)
	}
	s.metrics.size(context.Background(), s)
}

// Len is the number of entries of all partitions.
func (s *Sets) Len() int {
	n := 0
	for _, set := range s.sets {
		n += set.size
	}
	return n
}

// Bytes is the memory that the entries take.
func (s *Sets) Bytes() int {
	n := 0
	for _, set := range s.sets {
		for _, b := range set.buckets {
			n += b.marks.bytes()
		}
	}
	return n
}

// Begin starts the additions of one transaction. Buckets that are over expire
// here and nowhere else, so that a transaction sees one state.
func (s *Sets) Begin() *Tx {
	// Kafka keeps milliseconds; a restore must see the same time.
	at := s.cfg.Now().Truncate(time.Millisecond)
	for _, set := range s.sets {
		set.expire(at)
	}
	return &Tx{sets: s, at: at, pending: map[kafka.Partition]*additions{}, size: s.Len()}
}

// Tx holds the additions of one transaction apart from the sets until it
// commits. One that does not is just dropped.
type Tx struct {
	sets    *Sets
	at      time.Time
	pending map[kafka.Partition]*additions
	order   []kafka.Partition
	size    int
}

// additions are a transaction's new entries of one partition, in their order.
type additions struct {
	entries []record.DedupEntry
	marks   map[identity.Fingerprint]identity.Mark
}

// Lookup finds the mark that an event was accepted with, in this transaction or
// before. The partition must have been restored.
func (t *Tx) Lookup(p kafka.Partition, f identity.Fingerprint) (identity.Mark, bool, error) {
	set, ok := t.sets.sets[p]
	if !ok {
		return identity.Mark{}, false, failure.NewFatal("deduplication set of %s is not restored", p)
	}
	if add, ok := t.pending[p]; ok {
		if m, ok := add.marks[f]; ok {
			return m, true, nil
		}
	}
	m, known := set.lookup(f)
	return m, known, nil
}

// errFull says what to do when the memory bound is reached. Forgetting inside
// the window would let duplicates through without a word, and stopping would
// hand the partitions, and the same trouble, to the instances that are left. So
// the partitions wait, until entries expire or another instance takes some over.
var errFull = errors.New("the partitions wait until entries expire: run more instances, raise it (an entry takes at most 30 bytes), or shorten HOOKSTREAM_DEDUP_WINDOW")

// Add remembers an event, once the transaction commits. It is Transient when the
// memory bound is reached.
func (t *Tx) Add(p kafka.Partition, f identity.Fingerprint, m identity.Mark) error {
	if err := t.sets.bound(t.size + 1); err != nil {
		return err
	}
	add, ok := t.pending[p]
	if !ok {
		add = &additions{marks: map[identity.Fingerprint]identity.Mark{}}
		t.pending[p] = add
		t.order = append(t.order, p)
	}
	add.entries = append(add.entries, record.DedupEntry{Fingerprint: f, Mark: m})
	add.marks[f] = m
	t.size++
	return nil
}

func (s *Sets) bound(size int) error {
	if s.cfg.MaxEntries > 0 && size > s.cfg.MaxEntries {
		return failure.NewTransient(fmt.Errorf("deduplication holds the %d entries that HOOKSTREAM_DEDUP_MAX_ENTRIES allows: %w", s.cfg.MaxEntries, errFull))
	}
	return nil
}

// Records are the changelog records of the additions: one for each partition,
// more where one would be too large.
func (t *Tx) Records() []*kgo.Record {
	most := record.MaxDedupEntries(t.sets.cfg.MaxMessageBytes)
	var out []*kgo.Record
	for _, p := range t.order {
		for entries := t.pending[p].entries; len(entries) > 0; {
			n := min(most, len(entries))
			out = append(out, record.DedupRecord(t.sets.cfg.Topic, p.Topic, p.Partition, t.at, entries[:n]))
			entries = entries[n:]
		}
	}
	return out
}

// Commit merges the additions, after their changelog records were committed.
func (t *Tx) Commit(ctx context.Context) {
	for _, p := range t.order {
		if set, ok := t.sets.sets[p]; ok {
			set.add(t.at, t.at, t.pending[p].entries)
		}
	}
	t.sets.metrics.size(ctx, t.sets)
}

// loader rebuilds sets from changelog records, apart from those in use.
type loader struct {
	sets    *Sets
	now     time.Time
	byKey   map[string]kafka.Partition
	loaded  map[kafka.Partition]*set
	entries int
}

func (s *Sets) newLoader(parts []kafka.Partition) *loader {
	l := &loader{sets: s, now: s.cfg.Now(), byKey: map[string]kafka.Partition{}, loaded: map[kafka.Partition]*set{}}
	for _, p := range parts {
		l.byKey[string(record.DedupKey(p.Topic, p.Partition))] = p
		l.loaded[p] = newSet(s.cfg.Window)
	}
	return l
}

// add takes one changelog record. Several raw topics may share a changelog
// partition, so records of others come too.
func (l *loader) add(r *kgo.Record) error {
	p, ours := l.byKey[string(r.Key)]
	if !ours {
		return nil
	}
	entries, err := record.ParseDedup(r)
	if err != nil {
		return failure.NewFatal("deduplication changelog is corrupt: %w. "+
			"Find who wrote the record; to go on without it, and risk duplicates of what it held, delete records up to and including it (kafka-delete-records.sh)", err)
	}
	set := l.loaded[p]
	before := set.size
	set.add(r.Timestamp, l.now, entries)
	l.entries += set.size - before
	return l.sets.bound(l.entries)
}

// use replaces the sets in use by the loaded ones.
func (l *loader) use(ctx context.Context) error {
	for p, set := range l.loaded {
		l.sets.sets[p] = set
	}
	l.sets.metrics.size(ctx, l.sets)
	return l.sets.bound(l.sets.Len())
}
