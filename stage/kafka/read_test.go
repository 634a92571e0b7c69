// SPDX-License-Identifier: Apache-2.0

package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// values reads a topic's values, by partition.
func values(t *testing.T, c *Config, topic string, partitions ...int32) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []string
	err := c.ReadToEnd(ctx, "test", quiets, Partitions{topic: partitions}, func(r *kgo.Record) error {
		all = append(all, fmt.Sprintf("%d:%s", r.Partition, r.Value))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func manual(t *testing.T, c *Config, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	return client(t, c, append(more, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
}

func put(t *testing.T, cl *kgo.Client, topic string, partition int32, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadRanges(t *testing.T) {
	b := kafkatest.New(t)
	c := installation(b)
	create(t, c, c.Topics.Raw, 3)
	cl := manual(t, c)
	put(t, cl, c.Topics.Raw, 0, "a", "b", "c", "d")
	put(t, cl, c.Topics.Raw, 1, "e")
	put(t, cl, c.Topics.Raw, 2, "f", "g", "h")
	b.DeleteRecords(t, c.Topics.Raw, 2, 2)
	var got []string
	err := c.ReadRanges(t.Context(), "test", quiets, []Range{
		{c.Topics.Raw, 0, 1, 3}, {c.Topics.Raw, 1, 1, 1}, {c.Topics.Raw, 2, 0, 3},
	}, func(r *kgo.Record) error {
		got = append(got, fmt.Sprintf("%d:%s", r.Partition, r.Value))
		return nil
	})
	if slices.Sort(got); err != nil || fmt.Sprint(got) != "[0:b 0:c 2:h]" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := c.ReadRanges(t.Context(), "test", quiets, nil, nil); err != nil {
		t.Error(err)
	}
}

// TestReadCommittedDoesNotWaitLong: what a transaction has in hand is not shown, and
// not waited for as long as its timeout; what it committed is shown.
func TestReadCommittedDoesNotWaitLong(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 2)
	put(t, manual(t, c), c.Topics.Raw, 0, "a")
	tx := manual(t, c, kgo.TransactionalID(c.Topics.Raw+".open"), kgo.TransactionTimeout(time.Minute))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	put(t, tx, c.Topics.Raw, 0, "b")
	put(t, tx, c.Topics.Raw, 1, "c")
	ctx, cancel := context.WithTimeout(t.Context(), 2*runtest.Patience)
	defer cancel()
	look := func() (all []string) {
		err := c.ReadCommitted(ctx, "test", quiets, Partitions{c.Topics.Raw: nil}, func(r *kgo.Record) error {
			all = append(all, string(r.Value))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(all)
		return all
	}
	if got := look(); fmt.Sprint(got) != "[a]" {
		t.Errorf("while the transaction is open: %v", got)
	}
	if err := tx.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	// A broker that is very busy may take more than a second for the markers.
	runtest.Eventually(t, "what was committed", func() bool { return fmt.Sprint(look()) == "[a b c]" })
}

func TestPartitionOfIsWhereProducersWrite(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 5)
	c.Partitions = 3 // the other two were added to the topic in use
	cl := client(t, c)
	for i := range 20 {
		r := &kgo.Record{Topic: c.Topics.Raw, Key: fmt.Appendf(nil, "default/stripe/pi_%d", i)}
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if got := c.PartitionOf(c.Topics.Raw, r.Key, 5); got != r.Partition {
			t.Errorf("%s lies in partition %d, not %d", r.Key, r.Partition, got)
		}
	}
}

func TestReadToEnd(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 3)
	if got := values(t, c, c.Topics.Raw); len(got) != 0 {
		t.Errorf("an empty topic gives %v", got)
	}
	cl := manual(t, c)
	put(t, cl, c.Topics.Raw, 0, "a", "b")
	put(t, cl, c.Topics.Raw, 2, "c")
	if got := values(t, c, c.Topics.Raw); fmt.Sprint(got) != "[0:a 0:b 2:c]" {
		t.Errorf("got %v", got)
	}
	if got := values(t, c, c.Topics.Raw, 1, 2); fmt.Sprint(got) != "[2:c]" {
		t.Errorf("partitions 1 and 2 give %v", got)
	}
	if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), kadm.Offsets{c.Topics.Raw: {0: kadm.Offset{Topic: c.Topics.Raw, At: 1}, 2: kadm.Offset{Topic: c.Topics.Raw, Partition: 2, At: 1}}}); err != nil {
		t.Fatal(err)
	}
	if got := values(t, c, c.Topics.Raw); fmt.Sprint(got) != "[0:b]" {
		t.Errorf("after retention: %v", got)
	}
}

func TestReadToEndPassesMarkersAndAbortedRecords(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 2)
	tx := manual(t, c, kgo.TransactionalID(c.Topics.Raw+".test"))
	for _, try := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		put(t, tx, c.Topics.Raw, 0, fmt.Sprint(try))
		put(t, tx, c.Topics.Raw, 1, fmt.Sprint(try))
		if err := tx.EndTransaction(t.Context(), try); err != nil {
			t.Fatal(err)
		}
	}
	if got := values(t, c, c.Topics.Raw); fmt.Sprint(got) != "[0:true 1:true]" {
		t.Errorf("got %v, want what was committed", got)
	}
}

// TestReadToEndWaitsOutAnOpenTransaction: what it will commit lies below the
// high watermark.
func TestReadToEndWaitsOutAnOpenTransaction(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 1)
	tx := manual(t, c, kgo.TransactionalID(c.Topics.Raw+".test"))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	put(t, manual(t, c), c.Topics.Raw, 0, "before")
	put(t, tx, c.Topics.Raw, 0, "open")

	seen := make(chan string, 10)
	done := make(chan error, 1)
	go func() {
		done <- c.ReadToEnd(t.Context(), "test", quiets, Partitions{c.Topics.Raw: nil}, func(r *kgo.Record) error {
			seen <- string(r.Value)
			return nil
		})
	}()
	if v := <-seen; v != "before" {
		t.Fatalf("read %q first", v)
	}
	select {
	case err := <-done:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	if err := tx.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if v := <-seen; v != "open" {
		t.Errorf("read %q", v)
	}
}

func TestReadToEndReturnsErrors(t *testing.T) {
	c := config(t)
	create(t, c, c.Topics.Raw, 1)
	put(t, manual(t, c), c.Topics.Raw, 0, "a", "b")
	stop, calls := errors.New("stop"), 0
	err := c.ReadToEnd(t.Context(), "test", quiets, Partitions{c.Topics.Raw: nil}, func(*kgo.Record) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := c.ReadToEnd(t.Context(), "test", quiets, Partitions{"nowhere": nil}, nil); err == nil || !strings.Contains(err.Error(), "UNKNOWN_TOPIC") {
		t.Errorf("a missing topic gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.ReadToEnd(ctx, "test", quiets, Partitions{c.Topics.Raw: nil}, nil); err == nil {
		t.Error("an ended context is no error")
	}
}
