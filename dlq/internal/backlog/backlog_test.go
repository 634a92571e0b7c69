// SPDX-License-Identifier: Apache-2.0

package backlog

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

var day = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

func dead(n int, code reason.Code) *record.DeadLetter {
	return &record.DeadLetter{
		Stage: record.StageTransform, Failed: record.Position{Topic: "raw", Offset: int64(n)}, Class: "permanent",
		Reason: code, FirstFailedAt: day, LastFailedAt: day.Add(time.Duration(n) * time.Minute),
	}
}

func resolution(d *record.DeadLetter, a record.Action) *record.Resolution {
	return &record.Resolution{DeadLetterID: d.ID(), Action: a, By: "test", At: day}
}

func TestCounts(t *testing.T) {
	b := New(100)
	if counts, _ := b.Counts(); counts != nil {
		t.Errorf("counts before anything was read: %v", counts)
	}
	for n := range 6 {
		b.letter(dead(n, reason.MappingFailed))
		b.letter(dead(n, reason.MappingFailed)) // a copy
	}
	b.letter(dead(10, "from a later version"))
	b.resolution(dead(0, "").ID(), resolution(dead(0, ""), record.Replayed))
	b.resolution(dead(1, "").ID(), resolution(dead(1, ""), record.Discarded))
	b.resolution(dead(1, "").ID(), resolution(dead(1, ""), record.Reopened))
	// Read before its dead letter, as the topics are read side by side.
	b.resolution(dead(11, "").ID(), resolution(dead(11, ""), record.Discarded))
	b.letter(dead(11, reason.Unmapped))
	b.resolution(dead(12, "").ID(), resolution(dead(12, ""), record.Discarded))
	b.resolution(dead(12, "").ID(), nil)
	b.letter(dead(12, reason.Unmapped))
	b.loadedAll()
	want := []Count{
		{Group{"transform", "mapping_failed"}, 5, day.Add(time.Minute)},
		{Group{"transform", Other}, 1, day.Add(10 * time.Minute)},
		{Group{"transform", "unmapped"}, 1, day.Add(12 * time.Minute)},
	}
	if got, skipped := b.Counts(); !reflect.DeepEqual(got, want) || skipped != 0 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAFullBacklogForgetsWhatIsResolved(t *testing.T) {
	b := New(3)
	b.loadedAll()
	for n := range 3 {
		b.letter(dead(n, reason.Unmapped))
	}
	open := func(want, wantSkipped int) {
		t.Helper()
		counts, skipped := b.Counts()
		if len(counts) != 1 || counts[0].Open != want || skipped != wantSkipped || len(b.entries) > 3 {
			t.Errorf("%v, %d skipped, %d entries; want %d open and %d skipped", counts, skipped, len(b.entries), want, wantSkipped)
		}
	}
	open(3, 0)
	b.letter(dead(3, reason.Unmapped))
	open(3, 1)
	b.resolution(dead(0, "").ID(), resolution(dead(0, ""), record.Replayed))
	open(2, 1)
	b.letter(dead(4, reason.Unmapped))
	open(3, 1)
	b.letter(dead(5, reason.Unmapped))
	open(3, 2)
}

// TestFollow reads what is there, markers of transactions included, and what
// comes.
func TestFollow(t *testing.T) {
	broker := kafkatest.New(t)
	cfg := &kafka.Config{Brokers: broker.Addresses, Topics: broker.Topics(), Partitions: 2, Replication: -1, MaxMessageBytes: 1 << 20, Retention: time.Hour, DedupWindow: time.Hour}
	quiet := slog.New(slog.DiscardHandler)
	client, err := cfg.NewClient("test", quiet, kgo.TransactionalID(broker.Name("backlog")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := cfg.EnsureTopics(t.Context(), client, quiet); err != nil {
		t.Fatal(err)
	}
	write := func(end kgo.TransactionEndTry, records ...*kgo.Record) {
		t.Helper()
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	letter := func(n int) *kgo.Record {
		r := dead(n, reason.Unmapped).Record(cfg.Topics.DeadLetters)
		r.Key = fmt.Append(nil, n)
		return r
	}
	resolved := func(n int) *kgo.Record {
		r, err := resolution(dead(n, ""), record.Replayed).Record(cfg.Topics.Resolutions)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	write(kgo.TryCommit, letter(1), letter(2), letter(3), resolved(1), &kgo.Record{Topic: cfg.Topics.DeadLetters, Value: []byte("foreign")})
	write(kgo.TryAbort, letter(4), resolved(2))

	b := New(100)
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- b.Follow(ctx, cfg, quiet, func(ok bool, reason string) {
			if !ok {
				t.Errorf("not ready: %s", reason)
				return
			}
			close(ready)
		})
	}()
	<-ready
	if counts, _ := b.Counts(); len(counts) != 1 || counts[0].Open != 2 || !counts[0].Oldest.Equal(day.Add(2*time.Minute)) {
		t.Errorf("at the start: %v", counts)
	}
	write(kgo.TryCommit, letter(5), letter(6), resolved(2), resolved(3), resolved(5))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		counts, _ := b.Counts()
		if len(counts) == 1 && counts[0].Open == 1 && counts[0].Oldest.Equal(day.Add(6*time.Minute)) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("later: %v", counts)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// BenchmarkCounts is what a scrape costs.
func BenchmarkCounts(b *testing.B) {
	log := New(1_000_000)
	log.loadedAll()
	for n := range 100_000 {
		log.letter(dead(n, reason.MappingFailed))
	}
	b.ResetTimer()
	for b.Loop() {
		log.Counts()
	}
}
