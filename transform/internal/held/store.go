// SPDX-License-Identifier: Apache-2.0

// Package held keeps raw records that wait for a corrected definition. They lie in
// a topic of their own, so that the raw topic goes on; in memory is where they lie,
// and which keys they are of. It is rebuilt from the topic by another instance.
package held

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/kafka"
)

// Config of a Store. Everything but Now is required.
type Config struct {
	Kafka    *kafka.Config
	ClientID string
	// MaxRecords bounds what is held of each partition.
	MaxRecords int
	Log        *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Store knows what is held of the raw partitions that this instance owns. It is for
// one goroutine.
type Store struct {
	cfg   Config
	parts map[kafka.Partition]*list
	kinds map[breaker.Kind]*Kind
	size  int
}

// Kind is what the store knows of a kind of records.
type Kind struct {
	breaker.Kind
	// Records are held, of which Causes fail themselves, the first one so that
	// somebody said, with Reason, at First, Message.
	Records, Causes int
	Reason          reason.Code
	First           record.Position
	Message         string
}

// list is what is held of one raw partition, in the order of its offsets.
type list struct {
	entries []entry
	// keys counts the held records of each key.
	keys map[uint64]int
}

// entry is a held record.
type entry struct {
	// offset is its own, in the topic of held records.
	offset int64
	// key is a hash of the raw record's. That two keys may share one holds a
	// record that need not wait, and breaks no order.
	key   uint64
	since time.Time
	size  int
	kind  *Kind
	// cause is whether it fails itself.
	cause bool
}

var seed = maphash.MakeSeed()

func hash(key []byte) uint64 { return maphash.Bytes(seed, key) }

// New makes a Store without partitions.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Store{cfg: cfg, parts: map[kafka.Partition]*list{}, kinds: map[breaker.Kind]*Kind{}}
}

// Empty reports whether nothing is held.
func (s *Store) Empty() bool { return s.size == 0 }

// Len is how many records are held.
func (s *Store) Len() int { return s.size }

// Forget drops what is known of partitions that were taken away.
func (s *Store) Forget(parts []kafka.Partition) {
	for _, p := range parts {
		if l := s.parts[p]; l != nil {
			for i := range l.entries {
				s.uncount(&l.entries[i])
			}
			delete(s.parts, p)
		}
	}
}

// Partitions are those of which something is held, in order.
func (s *Store) Partitions() []kafka.Partition {
	var parts []kafka.Partition
	for p, l := range s.parts {
		if len(l.entries) > 0 {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b kafka.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return parts
}

// Kinds yields the kinds of which something is held.
func (s *Store) Kinds() iter.Seq[*Kind] {
	return func(yield func(*Kind) bool) {
		for _, k := range s.kinds {
			if !yield(k) {
				return
			}
		}
	}
}

// Causes is how many held records of a kind fail themselves.
func (s *Store) Causes(k breaker.Kind) int {
	if kind := s.kinds[k]; kind != nil {
		return kind.Causes
	}
	return 0
}

// Oldest is since when the oldest record is held; zero where none is.
func (s *Store) Oldest() (oldest time.Time) {
	for _, l := range s.parts {
		if len(l.entries) > 0 && (oldest.IsZero() || l.entries[0].since.Before(oldest)) {
			oldest = l.entries[0].since
		}
	}
	return oldest
}

// kind is what is known of k, counted from here on.
func (s *Store) kind(k breaker.Kind) *Kind {
	kind := s.kinds[k]
	if kind == nil {
		kind = &Kind{Kind: k}
		s.kinds[k] = kind
	}
	return kind
}

// found is a held record without what is in it.
type found struct {
	entry
	of     breaker.Kind
	raw    record.Position
	reason reason.Code
	why    string
}

func find(h *record.Held, k breaker.Kind, offset int64) found {
	return found{
		entry: entry{offset: offset, key: hash(h.Raw.Key), since: h.Since, size: kafka.RecordBytes(h.Raw)},
		of:    k, raw: record.PositionOf(h.Raw), reason: h.Reason, why: h.Message,
	}
}

// add appends a held record to those of its partition.
func (s *Store) add(f *found) {
	p := kafka.Partition{Topic: f.raw.Topic, Partition: f.raw.Partition}
	l := s.parts[p]
	if l == nil {
		l = &list{keys: map[uint64]int{}}
		s.parts[p] = l
	}
	f.kind = s.kind(f.of)
	f.kind.Records++
	l.entries = append(l.entries, f.entry)
	l.keys[f.key]++
	s.size++
	if f.reason != "" {
		l.entries[len(l.entries)-1].fails(f)
	}
}

// fails notes that a held record fails itself.
func (e *entry) fails(f *found) {
	if e.cause {
		return
	}
	e.cause = true
	if e.kind.Causes == 0 {
		e.kind.Reason, e.kind.First, e.kind.Message = f.reason, f.raw, f.why
	}
	e.kind.Causes++
}

func (s *Store) uncount(e *entry) {
	s.size--
	e.kind.Records--
	if e.cause {
		e.kind.Causes--
	}
	if e.kind.Records == 0 {
		delete(s.kinds, e.kind.Kind)
	}
}

// remove drops entries by their offsets.
func (s *Store) remove(p kafka.Partition, offsets map[int64]bool) {
	l := s.parts[p]
	if l == nil {
		return
	}
	l.entries = slices.DeleteFunc(l.entries, func(e entry) bool {
		if !offsets[e.offset] {
			return false
		}
		s.uncount(&e)
		if l.keys[e.key]--; l.keys[e.key] == 0 {
			delete(l.keys, e.key)
		}
		return true
	})
}

func (s *Store) entry(p kafka.Partition, offset int64) *entry {
	if l := s.parts[p]; l != nil {
		if i, ok := l.find(offset); ok {
			return &l.entries[i]
		}
	}
	return nil
}

// find is the index of the first entry at or behind an offset.
func (l *list) find(offset int64) (int, bool) {
	return slices.BinarySearchFunc(l.entries, offset, func(e entry, at int64) int { return cmp.Compare(e.offset, at) })
}

// Why a record cannot be held. Its partition waits then: waiting loses nothing.
var (
	errFull  = errors.New("as many records of it are held as HOOKSTREAM_HELD_MAX_RECORDS allows")
	errLarge = errors.New("the record is too large to be held, of HOOKSTREAM_MAX_MESSAGE_BYTES")
)

// Tx is what one transaction holds and releases, apart from the store until it
// commits. One that does not is just dropped.
type Tx struct {
	store    *Store
	at       time.Time
	held     []pending
	keys     map[pendingKey]bool
	size     map[kafka.Partition]int
	released map[kafka.Partition]map[int64]bool
	causes   []found
	out      []*kgo.Record
}

// pending is a record that is held once it has an offset.
type pending struct {
	held   *record.Held
	kind   breaker.Kind
	record *kgo.Record
}

type pendingKey struct {
	part kafka.Partition
	key  uint64
}

// Begin starts a transaction.
func (s *Store) Begin() *Tx {
	return &Tx{
		store: s, at: s.cfg.Now(), keys: map[pendingKey]bool{}, size: map[kafka.Partition]int{},
		released: map[kafka.Partition]map[int64]bool{},
	}
}

func partitionOf(r *kgo.Record) kafka.Partition {
	return kafka.Partition{Topic: r.Topic, Partition: r.Partition}
}

// Behind reports whether an earlier record of a raw record's key is held.
func (t *Tx) Behind(raw *kgo.Record) bool {
	p, key := partitionOf(raw), hash(raw.Key)
	if t.keys[pendingKey{p, key}] {
		return true
	}
	l := t.store.parts[p]
	return l != nil && l.keys[key] > 0
}

// Hold holds a raw record of a kind. Why is what it fails with itself, or "". The
// record that is returned is among Records.
func (t *Tx) Hold(raw *kgo.Record, k breaker.Kind, why reason.Code, message string) (*kgo.Record, error) {
	p := partitionOf(raw)
	n := t.size[p]
	if l := t.store.parts[p]; l != nil {
		n += len(l.entries)
	}
	if n >= t.store.cfg.MaxRecords {
		return nil, fmt.Errorf("%s: %w", p, errFull)
	}
	h := &record.Held{Raw: raw, Since: t.at, Reason: why, Message: message}
	r := h.Record(t.store.cfg.Kafka.Topics.Held)
	if !t.store.cfg.Kafka.Fits(r) {
		return nil, fmt.Errorf("%s: %w", record.PositionOf(raw), errLarge)
	}
	t.held = append(t.held, pending{h, k, r})
	t.keys[pendingKey{p, hash(raw.Key)}] = true
	t.size[p]++
	t.out = append(t.out, r)
	return r, nil
}

// Release releases a held record.
func (t *Tx) Release(it *Item) {
	t.remove(it)
	t.out = append(t.out, it.tombstone)
}

func (t *Tx) remove(it *Item) {
	if t.released[it.part] == nil {
		t.released[it.part] = map[int64]bool{}
	}
	t.released[it.part][it.offset] = true
}

// Stay notes that a record that goes on to be held fails itself, with why.
func (t *Tx) Stay(it *Item, why reason.Code, message string) {
	t.causes = append(t.causes, find(&record.Held{Raw: it.Raw, Reason: why, Message: message}, it.Kind, it.offset))
}

// Held is how many records the transaction holds.
func (t *Tx) Held() int { return len(t.held) }

// Records are to be produced in the transaction, in this order.
func (t *Tx) Records() []*kgo.Record { return t.out }

// Commit takes the transaction over into the store, after its records were committed
// and have their offsets.
func (t *Tx) Commit() {
	for i := range t.causes {
		f := &t.causes[i]
		if e := t.store.entry(kafka.Partition{Topic: f.raw.Topic, Partition: f.raw.Partition}, f.offset); e != nil {
			e.fails(f)
		}
	}
	for p, offsets := range t.released {
		t.store.remove(p, offsets)
	}
	for _, h := range t.held {
		f := find(h.held, h.kind, h.record.Offset)
		t.store.add(&f)
	}
}
