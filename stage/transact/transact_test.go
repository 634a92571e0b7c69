// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
)

func TestOutputAndOffsetsCommitTogether(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	b.send(t, 0, 500)
	c := &copier{}
	first := b.start(t, b.config("a"), c)
	b.wantOutput(t, 500)
	runtest.Eventually(t, "the callback of every commit", func() bool { _, n, _ := c.counts(); return n == 500 })
	if n := b.committed(t); n != 500 {
		t.Errorf("committed offsets sum up to %d, want 500", n)
	}
	first.Stop()

	// The next run starts where the first ended.
	b.send(t, 500, 600)
	b.start(t, b.config("a"), &copier{})
	b.wantOutput(t, 600)
}

func TestProduceErrorAbortsAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	cluster, b := newFake(t, "Kafka refuses no sound record once and takes it the next time")
	b.send(t, 0, 50)
	fault := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.out, Err: kerr.InvalidRecord, Count: 1})
	c := &copier{}
	b.start(t, b.config("a"), c)
	b.wantOutput(t, 50)
	if fault.Hits() != 1 {
		t.Errorf("fault was hit %d times, want once", fault.Hits())
	}
	runtest.Eventually(t, "the commits", func() bool { _, n, _ := c.counts(); return n == 50 })
}

func TestRefusedSizeIsFatal(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 100)
	b.limit(t, b.out, "200")
	wantNamed(t, fatal(t, b.start(t, b.config("a"), &copier{})), "max.message.bytes")
	if n := b.committed(t); n != 0 {
		t.Errorf("offsets were committed up to %d", n)
	}
}

// TestBatchLargerThanAFetch: it comes alone, and nothing behind it waits.
func TestBatchLargerThanAFetch(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	for _, topic := range []string{b.in, b.out} {
		b.limit(t, topic, strconv.Itoa(largeBatch))
	}
	b.cfg.MaxMessageBytes = largeBatch
	producer, err := b.cfg.NewClient("large", runtest.Logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	large := make([]byte, largeBatch-1000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(large) // it never fails, and compresses to nothing less
	b.send(t, 0, 10)
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: b.in, Value: large}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.send(t, 10, 20)
	b.start(t, b.config("a"), &copier{})
	b.wantOutput(t, 21)
}

// largeBatch is more than a transactional loop fetches at once.
const largeBatch = 4 << 20

// limit sets max.message.bytes of a topic.
func (b *broker) limit(t *testing.T, topic, bytes string) {
	t.Helper()
	change := kadm.AlterConfig{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &bytes}
	changed, err := kadm.NewClient(b.client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{change}, topic)
	if err == nil {
		_, err = changed.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestTransientErrorIsTriedInPlace(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 10)
	var tries []int64
	c := &copier{process: func(_ context.Context, rs []*kgo.Record) error {
		tries = append(tries, rs[0].Offset)
		if len(tries) < 3 {
			return errPassing
		}
		return nil
	}}
	r := b.start(t, b.config("a"), c)
	b.wantOutput(t, 10)
	r.Stop()
	if len(tries) < 3 || tries[0] != 0 || tries[1] != 0 || tries[2] != 0 {
		t.Errorf("Process was given the offsets %v, want 0 three times", tries)
	}
}

func TestOtherErrorStops(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"fatal":     failure.NewFatal("no such table"),
		"permanent": failure.NewPermanent(reason.MappingFailed, errPassing),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t, 1)
			b.send(t, 0, 10)
			r := b.start(t, b.config("a"), &copier{process: func(context.Context, []*kgo.Record) error { return cause }})
			if err := fatal(t, r); !errors.Is(err, cause) {
				t.Errorf("Run gave %v, want %v", err, cause)
			}
			if n := b.committed(t); n != 0 {
				t.Errorf("offsets were committed up to %d", n)
			}
		})
	}
}

func TestRestoreFailure(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 10)
	var tries atomic.Int32
	b.start(t, b.config("a"), &copier{restore: func(context.Context, []kafka.Partition) error {
		if tries.Add(1) < 3 {
			return errPassing
		}
		return nil
	}})
	b.wantOutput(t, 10)

	corrupt := failure.NewFatal("corrupt")
	other := b.config("b")
	other.Group = b.Name("others")
	r := b.start(t, other, &copier{restore: func(context.Context, []kafka.Partition) error { return corrupt }})
	if err := fatal(t, r); !errors.Is(err, corrupt) {
		t.Errorf("Run gave %v, want %v", err, corrupt)
	}
}

func TestShutdownFinishesTheBatch(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 50)
	entered, release := make(chan struct{}), make(chan struct{})
	r := b.start(t, b.config("a"), &copier{process: func(context.Context, []*kgo.Record) error {
		close(entered)
		<-release
		return nil
	}})
	<-entered
	r.Cancel()
	close(release)
	r.Stop()
	if got := b.output(t); len(got) != 50 {
		t.Errorf("%d values were committed, want the batch of 50", len(got))
	}
}

func TestShutdownWaitsNoLongerThanTheDrainTimeout(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 50)
	entered := make(chan struct{})
	cfg := b.config("a")
	cfg.DrainTimeout = 50 * time.Millisecond
	r := b.start(t, cfg, &copier{process: func(ctx context.Context, _ []*kgo.Record) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}})
	<-entered
	r.Stop()
	if n := b.committed(t); n != 0 {
		t.Errorf("offsets of an unfinished batch were committed up to %d", n)
	}
	b.start(t, b.config("a"), &copier{})
	b.wantOutput(t, 50)
}

// A batch that was polled before its partition's state was there must not be
// processed when the restore is interrupted.
func TestShutdownDuringRestoreProcessesNothing(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 50)
	c := &copier{}
	entered := make(chan struct{})
	var once atomic.Bool
	c.restore = func(ctx context.Context, _ []kafka.Partition) error {
		if once.CompareAndSwap(false, true) {
			close(entered)
		}
		<-ctx.Done()
		return ctx.Err()
	}
	r := b.start(t, b.config("a"), c)
	<-entered
	r.Stop()
	if n, _, _ := c.counts(); n != 0 {
		t.Errorf("%d batches were processed without state", n)
	}
	if n := b.committed(t); n != 0 {
		t.Errorf("offsets were committed up to %d", n)
	}
}

func TestShutdownWithoutBrokerEnds(t *testing.T) {
	t.Parallel()
	cluster, b := newFake(t, "it is stopped here, and others use the real one")
	b.send(t, 0, 10)
	r := b.start(t, b.config("a"), &copier{})
	b.wantOutput(t, 10)
	cluster.Close()
	r.Stop()
}

// What an earlier run of the instance left open is aborted at once: a restore
// would otherwise wait until its transaction times out.
func TestPredecessorsTransactionIsAborted(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 10)
	dead, err := b.cfg.NewClient("dead", runtest.Logger(), kgo.TransactionalID(b.Name("a")), kgo.TransactionTimeout(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dead.Close)
	if err := dead.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := dead.ProduceSync(t.Context(), &kgo.Record{Topic: b.out, Value: []byte("never")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.start(t, b.config("a"), &copier{restore: func(ctx context.Context, _ []kafka.Partition) error {
		return b.cfg.ReadToEnd(ctx, "restore", runtest.Logger(), kafka.Partitions{b.out: nil}, func(*kgo.Record) error { return nil })
	}})
	b.wantOutput(t, 10)
}

func TestSharedTransactionalIDIsFatal(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 10)
	first := b.start(t, b.config("a"), &copier{})
	b.wantOutput(t, 10)
	other := b.config("a")
	other.Group = b.Name("others") // takes the id, not the partitions
	b.start(t, other, &copier{})
	runtest.Eventually(t, "the other's output", func() bool { return b.output(t)["0"] == 2 })
	b.send(t, 10, 20)
	wantNamed(t, fatal(t, first), "HOOKSTREAM_INSTANCE_ID")
}

func TestLostOffsetIsFatal(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.send(t, 0, 50)
	offsets := kadm.Offsets{}
	offsets.AddOffset(b.in, 0, 10, -1)
	if err := kadm.NewClient(b.client).CommitAllOffsets(t.Context(), b.group, offsets); err != nil {
		t.Fatal(err)
	}
	b.DeleteRecords(t, b.in, 0, 20)
	wantNamed(t, fatal(t, b.start(t, b.config("a"), &copier{})), b.in+"/0")
}

// wantNamed checks that an error names what a person must look at.
func wantNamed(t *testing.T, err error, name string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("Run gave %v, want an error that names %s", err, name)
	}
}

// Without a committed offset, an aborted first transaction must go back to the
// log's start and not to offset 0, which is out of range here.
func TestAbortedFirstTransactionGoesBackToTheLogStart(t *testing.T) {
	t.Parallel()
	const partitions = 2
	b := newBroker(t, partitions)
	b.send(t, 0, 100)
	for p := range int32(partitions) {
		b.DeleteRecords(t, b.in, p, 10)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	c := &copier{process: func(context.Context, []*kgo.Record) error {
		if once.CompareAndSwap(false, true) {
			close(entered)
			<-release
		}
		return nil
	}}
	b.start(t, b.config("a"), c)
	<-entered
	b.start(t, b.config("b"), &copier{})
	waitMembers(t, b, 2, partitions)
	close(release)
	b.wantOutput(t, 100-partitions*10)
}

// waitMembers waits until the group has so many members and all partitions are
// assigned among them.
func waitMembers(t *testing.T, b *broker, members, partitions int) {
	t.Helper()
	admin := kadm.NewClient(b.client)
	runtest.Eventually(t, fmt.Sprintf("%d members", members), func() bool {
		groups, err := admin.DescribeGroups(t.Context(), b.group)
		if err != nil {
			t.Fatal(err)
		}
		g := groups[b.group]
		assigned := 0
		for _, m := range g.Members {
			if a, ok := m.Assigned.AsConsumer(); ok {
				for _, topic := range a.Topics {
					assigned += len(topic.Partitions)
				}
			}
		}
		return g.State == "Stable" && len(g.Members) == members && assigned == partitions
	})
}

// Members come and go while records flow: nothing is lost or copied twice, and
// no record is processed without its partition's state.
func TestRebalances(t *testing.T) {
	t.Parallel()
	const partitions, waves, perWave = 6, 6, 400
	b := newBroker(t, partitions)
	running := []*runtest.Run{b.start(t, b.config("0"), &copier{})}
	for wave := range waves {
		b.send(t, wave*perWave, (wave+1)*perWave)
		if len(running) < 3 {
			running = append(running, b.start(t, b.config(fmt.Sprint(wave+1)), &copier{}))
		} else {
			running[0].Stop()
			running = running[1:]
		}
		waitMembers(t, b, len(running), partitions)
	}
	b.wantOutput(t, waves*perWave)
}

// A partition that moves away loses its state here and gets it there.
func TestStateFollowsTheAssignment(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 4)
	one, two := &copier{}, &copier{}
	owned := func(n1, n2 int) func() bool {
		return func() bool {
			_, _, o1 := one.counts()
			_, _, o2 := two.counts()
			return o1 == n1 && o2 == n2
		}
	}
	b.start(t, b.config("a"), one)
	runtest.Eventually(t, "all partitions at the first member", owned(4, 0))
	second := b.start(t, b.config("b"), two)
	runtest.Eventually(t, "two partitions each", owned(2, 2))
	second.Stop()
	runtest.Eventually(t, "all partitions back at the first member", owned(4, 0))
}
