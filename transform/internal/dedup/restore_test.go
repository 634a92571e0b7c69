// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// atOnce is far more than a restore takes that need not wait.
const atOnce = 10 * time.Second

// broker is a Kafka with a changelog of two partitions.
type broker struct {
	*kafkatest.Broker
	cfg       *kafka.Config
	changelog string
}

func newBroker(t testing.TB) *broker {
	t.Helper()
	b := kafkatest.New(t)
	changelog := b.CreateTopic(t, 2, topic.DefaultNames().Dedup)
	return &broker{b, &kafka.Config{Brokers: b.Addresses, MaxMessageBytes: 1 << 20, Topics: b.Topics()}, changelog}
}

func (b *broker) producer(t *testing.T, id string) *kgo.Client {
	t.Helper()
	cl, err := b.cfg.NewClient(id, slog.New(slog.DiscardHandler), kgo.TransactionalID(b.Name(id)), kgo.TransactionTimeout(5*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	return cl
}

// write produces n entries of a raw partition in the open transaction.
func (b *broker) write(t *testing.T, cl *kgo.Client, p kafka.Partition, from, n int) {
	t.Helper()
	var entries []record.DedupEntry
	for i := range n {
		entries = append(entries, record.DedupEntry{Fingerprint: fingerprint(from + i), Mark: identity.Mark{9}})
	}
	produce(t, cl, record.DedupRecord(b.changelog, p.Topic, p.Partition, time.Now(), entries))
}

func produce(t *testing.T, cl *kgo.Client, r *kgo.Record) {
	t.Helper()
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, cl *kgo.Client, commit kgo.TransactionEndTry) {
	t.Helper()
	if err := cl.EndTransaction(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
}

func (b *broker) restore(t *testing.T, within time.Duration, parts ...kafka.Partition) (*Sets, error) {
	t.Helper()
	s, err := New(Config{Topic: b.changelog, Window: window, MaxMessageBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	return s, s.Restore(ctx, b.cfg, "restore", slog.New(slog.DiscardHandler), parts)
}

func (b *broker) wantRestored(t *testing.T, n int, parts ...kafka.Partition) {
	t.Helper()
	s, err := b.restore(t, atOnce, parts...)
	if err != nil {
		t.Fatal(err)
	}
	if s.Len() != n {
		t.Errorf("%d entries were restored, want %d", s.Len(), n)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	p0, p1 := kafka.Partition{Topic: "raw", Partition: 0}, kafka.Partition{Topic: "raw", Partition: 1}
	other := kafka.Partition{Topic: "raw.acme", Partition: 0}

	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		newBroker(t).wantRestored(t, 0, p0, p1)
	})
	t.Run("everything was deleted", func(t *testing.T) {
		t.Parallel()
		b := newBroker(t)
		cl := b.producer(t, "a")
		b.write(t, cl, p0, 0, 10)
		end(t, cl, kgo.TryCommit)
		b.DeleteRecords(t, b.changelog, 0, kafkatest.End)
		b.wantRestored(t, 0, p0)
	})
	t.Run("ends with an aborted transaction", func(t *testing.T) {
		t.Parallel()
		b := newBroker(t)
		cl := b.producer(t, "a")
		b.write(t, cl, p0, 0, 10)
		end(t, cl, kgo.TryCommit)
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		b.write(t, cl, p0, 10, 10)
		end(t, cl, kgo.TryAbort)
		b.wantRestored(t, 10, p0)
	})
	t.Run("only an aborted transaction", func(t *testing.T) {
		t.Parallel()
		b := newBroker(t)
		cl := b.producer(t, "a")
		b.write(t, cl, p0, 0, 10)
		end(t, cl, kgo.TryAbort)
		b.wantRestored(t, 0, p0)
	})
	t.Run("several partitions and raw topics", func(t *testing.T) {
		t.Parallel()
		b := newBroker(t)
		cl := b.producer(t, "a")
		b.write(t, cl, p0, 0, 10)
		b.write(t, cl, p1, 10, 20)
		b.write(t, cl, other, 30, 5)
		end(t, cl, kgo.TryCommit)
		b.wantRestored(t, 10, p0)
		b.wantRestored(t, 5, other)
		b.wantRestored(t, 35, p0, p1, other)
	})
	t.Run("foreign key", func(t *testing.T) {
		t.Parallel()
		b := newBroker(t)
		cl := b.producer(t, "a")
		b.write(t, cl, p0, 0, 10)
		produce(t, cl, &kgo.Record{Topic: b.changelog, Value: []byte("foreign")})
		end(t, cl, kgo.TryCommit)
		b.wantRestored(t, 10, p0)
	})
}

// A transaction whose offsets others may already see can still be open when a
// partition is assigned. Its entries must be waited for.
func TestRestoreWaitsOutAnOpenTransaction(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		how  kgo.TransactionEndTry
		want int
	}{"committed": {kgo.TryCommit, 15}, "aborted": {kgo.TryAbort, 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t)
			p := kafka.Partition{Topic: "raw", Partition: 0}
			closed, open := b.producer(t, "closed"), b.producer(t, "open")
			b.write(t, closed, p, 0, 10)
			end(t, closed, kgo.TryCommit)
			b.write(t, open, p, 10, 5)
			if _, err := b.restore(t, time.Second, p); err == nil {
				t.Fatal("restore did not wait for the open transaction")
			}
			timer := time.AfterFunc(200*time.Millisecond, func() { _ = open.EndTransaction(context.Background(), c.how) })
			defer timer.Stop()
			b.wantRestored(t, c.want, p)
		})
	}
}

func TestCorruptChangelogIsFatal(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	p := kafka.Partition{Topic: "raw", Partition: 0}
	cl := b.producer(t, "a")
	b.write(t, cl, p, 0, 10)
	produce(t, cl, &kgo.Record{Topic: b.changelog, Key: record.DedupKey(p.Topic, p.Partition), Value: []byte("\x01short")})
	end(t, cl, kgo.TryCommit)
	s, err := b.restore(t, atOnce, p)
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), b.changelog+"/0/1") {
		t.Errorf("restore gave %v, want a Fatal error with the record's position", err)
	}
	if s.Len() != 0 || len(s.sets) != 0 {
		t.Error("a failed restore left a part of the set in use")
	}
}
