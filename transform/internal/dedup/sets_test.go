// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

var part = kafka.Partition{Topic: "raw", Partition: 3}

// owned makes Sets that own part, with nothing in it.
func owned(t *testing.T, cfg Config) *Sets {
	t.Helper()
	cfg.Topic, cfg.Window = "dedup", window
	if cfg.MaxMessageBytes == 0 {
		cfg.MaxMessageBytes = 1 << 20
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.newLoader([]kafka.Partition{part}).use(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func add(t *testing.T, tx *Tx, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := tx.Add(part, fingerprint(i), identity.Mark{1}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAdditionsStayPendingUntilCommit(t *testing.T) {
	s := owned(t, Config{})
	tx := s.Begin()
	add(t, tx, 0, 1)
	if _, known, _ := tx.Lookup(part, fingerprint(0)); !known {
		t.Error("a transaction does not know its own addition")
	}
	if _, known, _ := s.Begin().Lookup(part, fingerprint(0)); known {
		t.Error("an addition is known before it was committed")
	}
	tx.Commit(t.Context())
	if _, known, _ := s.Begin().Lookup(part, fingerprint(0)); !known {
		t.Error("a committed addition is not known")
	}
}

func TestPartitionThatIsNotRestoredIsFatal(t *testing.T) {
	s := owned(t, Config{})
	s.Forget([]kafka.Partition{part})
	if _, _, err := s.Begin().Lookup(part, fingerprint(0)); failure.Of(err) != failure.Fatal {
		t.Errorf("lookup gave %v, want a Fatal error: an empty set would let duplicates through", err)
	}
}

func TestMemoryBoundWaits(t *testing.T) {
	s := owned(t, Config{MaxEntries: 10})
	tx := s.Begin()
	add(t, tx, 0, 6)
	tx.Commit(t.Context())
	tx = s.Begin()
	add(t, tx, 6, 10)
	err := tx.Add(part, fingerprint(10), identity.Mark{})
	if failure.Of(err) != failure.Transient || !strings.Contains(err.Error(), "HOOKSTREAM_DEDUP_MAX_ENTRIES") {
		t.Errorf("the eleventh entry gave %v, want a Transient error that names the variable", err)
	}
}

func TestMemoryBoundHoldsForRestores(t *testing.T) {
	tx := owned(t, Config{}).Begin()
	add(t, tx, 0, 10)
	for most, waits := range map[int]bool{9: true, 10: false, 0: false} {
		l := owned(t, Config{MaxEntries: most}).newLoader([]kafka.Partition{part})
		if err := l.add(tx.Records()[0]); (err != nil) != waits || waits && failure.Of(err) != failure.Transient {
			t.Errorf("restoring 10 entries with a bound of %d gave %v", most, err)
		}
	}
}

func TestLargeBatchIsSplit(t *testing.T) {
	const most = 50
	s := owned(t, Config{MaxMessageBytes: 1024 + most*20})
	tx := s.Begin()
	add(t, tx, 0, 2*most+1)
	records := tx.Records()
	if len(records) != 3 {
		t.Fatalf("%d records, want 3", len(records))
	}
	l := s.newLoader([]kafka.Partition{part})
	for _, r := range records {
		if r.Partition != part.Partition {
			t.Errorf("changelog record for partition %d, want %d", r.Partition, part.Partition)
		}
		if err := l.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if l.entries != 2*most+1 {
		t.Errorf("%d entries came back, want %d", l.entries, 2*most+1)
	}
}

func TestWholeBucketExpires(t *testing.T) {
	now := time.UnixMilli(0)
	s := owned(t, Config{Now: func() time.Time { return now }})
	tx := s.Begin()
	add(t, tx, 0, 100)
	tx.Commit(t.Context())
	now = now.Add(window + window/bucketsPerWindow - time.Millisecond)
	if s.Begin(); s.Len() != 100 {
		t.Errorf("%d entries just before the bucket is over, want 100", s.Len())
	}
	now = now.Add(time.Millisecond)
	if s.Begin(); s.Len() != 0 {
		t.Errorf("%d entries after the bucket is over", s.Len())
	}
	if n := len(s.sets[part].buckets); n != 0 {
		t.Errorf("%d buckets are left", n)
	}
}
