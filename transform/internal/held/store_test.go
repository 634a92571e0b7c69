// SPDX-License-Identifier: Apache-2.0

package held

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/breaker"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newStore(cfg *kafka.Config, most int) *Store {
	return New(Config{Kafka: cfg, ClientID: "test", MaxRecords: most, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at }})
}

func raw(offset int64, key string) *kgo.Record {
	return &kgo.Record{Topic: "raw", Offset: offset, Key: []byte(key), Value: []byte("{}"), Timestamp: at}
}

// TestStoreIsWhatWasCommitted: of random transactions that hold and release, and of
// which some abort, the store knows what those left that committed: which keys have
// something held, how much of each kind fails, and in which order.
func TestStoreIsWhatWasCommitted(t *testing.T) {
	cfg := &kafka.Config{MaxMessageBytes: 1 << 20, Topics: topic.DefaultNames()}
	part := kafka.Partition{Topic: "raw"}
	rapid.Check(t, func(t *rapid.T) {
		s := newStore(cfg, 1000)
		type known struct {
			offset int64
			key    string
			cause  bool
		}
		var model []known
		next := int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "transactions") {
			tx, after := s.Begin(), slices.Clone(model)
			for range rapid.IntRange(0, 10).Draw(t, "holds") {
				key, why := fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "key")), reason.Code("")
				if rapid.Bool().Draw(t, "fails") {
					why = reason.MappingFailed
				}
				r, err := tx.Hold(raw(next, key), breaker.Kind{EventType: "a"}, why, "m")
				if err != nil {
					t.Fatal(err)
				}
				if !tx.Behind(raw(next+1, key)) {
					t.Fatalf("nothing of key %s is held in its own transaction", key)
				}
				r.Offset = next // as producing gives it one
				after = append(after, known{next, key, why != ""})
				next++
			}
			for i := len(model) - 1; i >= 0; i-- {
				if rapid.IntRange(0, 2).Draw(t, "release") == 0 {
					tx.Release(&Item{part: part, offset: model[i].offset})
					after = slices.Delete(after, i, i+1)
				}
			}
			if rapid.Bool().Draw(t, "commits") {
				tx.Commit()
				model = after
			}
			causes := 0
			for i, k := range model {
				if e := s.parts[part].entries[i]; e.offset != k.offset || e.cause != k.cause {
					t.Fatalf("entry %d is %+v, want %+v", i, e, k)
				}
				if k.cause {
					causes++
				}
			}
			if s.Len() != len(model) || s.Empty() != (len(model) == 0) || s.Causes(breaker.Kind{EventType: "a"}) != causes {
				t.Fatalf("%d are held, want %d; %d fail, want %d", s.Len(), len(model), s.Causes(breaker.Kind{EventType: "a"}), causes)
			}
			for key := range 6 {
				want := slices.ContainsFunc(model, func(k known) bool { return k.key == fmt.Sprint(key) })
				if got := s.Begin().Behind(raw(next, fmt.Sprint(key))); got != want {
					t.Fatalf("something of key %d is held: %v, want %v", key, got, want)
				}
			}
		}
		s.Forget([]kafka.Partition{part})
		if !s.Empty() || len(s.kinds) != 0 || !s.Oldest().IsZero() {
			t.Fatalf("after all was taken away %+v is left", s)
		}
	})
}

func TestStoreIsBounded(t *testing.T) {
	cfg := &kafka.Config{MaxMessageBytes: 64 << 10, Topics: topic.DefaultNames()}
	s := newStore(cfg, 2)
	tx := s.Begin()
	for n := range int64(2) {
		if _, err := tx.Hold(raw(n, "k"), breaker.Kind{}, "", ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Hold(raw(2, "k"), breaker.Kind{}, "", ""); !errors.Is(err, errFull) {
		t.Errorf("a third record gives %v", err)
	}
	large := raw(3, "k")
	large.Value = make([]byte, 64<<10)
	if _, err := newStore(cfg, 2).Begin().Hold(large, breaker.Kind{}, "", ""); !errors.Is(err, errLarge) {
		t.Errorf("a record that fits into no batch gives %v", err)
	}
}

func TestChunksAreBounded(t *testing.T) {
	sized := func(sizes ...int) (entries []entry) {
		for _, n := range sizes {
			entries = append(entries, entry{size: n})
		}
		return entries
	}
	for _, c := range []struct {
		entries    []entry
		most, want int
	}{
		{nil, 3, 0},
		{sized(1, 1), 3, 2},
		{sized(1, 1, 1, 1), 3, 3},
		{sized(maxChunkBytes+1, 1), 3, 1},
		{sized(1, maxChunkBytes, 1), 3, 1},
	} {
		if got := chunk(c.entries, c.most); got != c.want {
			t.Errorf("%d of %d entries, want %d", got, len(c.entries), c.want)
		}
	}
}

// TestRestoreAndRead: what another instance held is known again, without what was
// released or aborted, and is read back as it was.
func TestRestoreAndRead(t *testing.T) {
	t.Parallel()
	b := kafkatest.New(t)
	cfg := &kafka.Config{Brokers: b.Addresses, MaxMessageBytes: 1 << 20, Topics: b.Topics()}
	b.CreateTopic(t, 2, topic.DefaultNames().Held)
	client, err := cfg.NewClient("writer", slog.New(slog.DiscardHandler), kgo.TransactionalID(b.Name("writer")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	end := func(commit kgo.TransactionEndTry, rs ...*kgo.Record) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	first := newStore(cfg, 100)
	tx := first.Begin()
	for n := range int64(10) {
		why := reason.Code("")
		if n%2 == 0 {
			why = reason.MappingFailed
		}
		if _, err := tx.Hold(raw(n, fmt.Sprint(n%3)), breaker.Kind{}, why, "m"); err != nil {
			t.Fatal(err)
		}
	}
	end(kgo.TryCommit, tx.Records()...)
	tx.Commit()
	part := kafka.Partition{Topic: "raw"}
	all, err := first.Read(t.Context(), part, 0, 100)
	if err != nil || len(all.Items) != 10 {
		t.Fatal(len(all.Items), err)
	}
	tx = first.Begin()
	tx.Release(all.Items[0])
	tx.Release(all.Items[3])
	end(kgo.TryCommit, tx.Records()...)
	aborted := first.Begin()
	aborted.Release(all.Items[5])
	if _, err := aborted.Hold(raw(99, "k"), breaker.Kind{}, "", ""); err != nil {
		t.Fatal(err)
	}
	end(kgo.TryAbort, aborted.Records()...)

	second := newStore(cfg, 100)
	if err := second.Restore(t.Context(), []kafka.Partition{part, {Topic: "raw", Partition: 1}}); err != nil {
		t.Fatal(err)
	}
	var offsets []int64
	for from := int64(0); ; {
		c, err := second.Read(t.Context(), part, from, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Items) == 0 {
			break
		}
		for _, it := range c.Items {
			offsets = append(offsets, it.Raw.Offset)
			if it.Raw.Topic != "raw" || string(it.Raw.Value) != "{}" || it.Cause != (it.Raw.Offset%2 == 0) || !it.Raw.Timestamp.Equal(at) {
				t.Errorf("read back %+v", it)
			}
		}
		from = c.Next
	}
	if want := []int64{1, 2, 4, 5, 6, 7, 8, 9}; !slices.Equal(offsets, want) || second.Causes(breaker.Kind{}) != 4 {
		t.Errorf("offsets %v are held, want %v; %d fail", offsets, want, second.Causes(breaker.Kind{}))
	}
	b.DeleteRecords(t, cfg.Topics.Held, 0, 3)
	c, err := second.Read(t.Context(), part, 0, 100)
	if err != nil || len(c.Missing) != 2 || len(c.Items) != 6 {
		t.Errorf("%d are missing and %d there after two were deleted, %v", len(c.Missing), len(c.Items), err)
	}
}
