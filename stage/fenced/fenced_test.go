// SPDX-License-Identifier: Apache-2.0

package fenced_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

var errAway = errors.New("the database is away")

// broker is a Kafka with a topic in, and a consumer group.
type broker struct {
	in, group string
	cfg       *kafka.Config
	client    *kgo.Client
}

func newBroker(t *testing.T, partitions int32) *broker {
	t.Helper()
	k := kafkatest.New(t)
	b := &broker{
		in: k.CreateTopic(t, partitions, "in"), group: k.Name("appliers"),
		cfg: &kafka.Config{Brokers: k.Addresses, MaxMessageBytes: 1 << 20, Topics: k.Topics()},
	}
	var err error
	if b.client, err = b.cfg.NewClient("test", runtest.Logger()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	return b
}

// send produces records with the values from..to-1, spread over partitions.
func (b *broker) send(t *testing.T, from, to int) {
	t.Helper()
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		v := []byte(strconv.Itoa(i))
		rs = append(rs, &kgo.Record{Topic: b.in, Key: v, Value: v})
	}
	if err := b.client.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// committed is the sum of the group's offsets in Kafka.
func (b *broker) committed(t *testing.T) int {
	t.Helper()
	offsets, err := kadm.NewClient(b.client).FetchOffsets(t.Context(), b.group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.OffsetResponse) { sum += max(0, o.At) })
	return int(sum)
}

func (b *broker) start(t *testing.T, store fenced.Store) *runtest.Run {
	t.Helper()
	loop := fenced.New(fenced.Config{
		Kafka: b.cfg, Group: b.group, Topics: []string{b.in}, ClientID: "applier",
		MaxRecords: 50, SessionTimeout: 15 * time.Second, DrainTimeout: 10 * time.Second, Log: runtest.Logger(),
	}, store)
	return runtest.Start(t, loop.Run)
}

func (m *memory) await(t *testing.T, n int) {
	t.Helper()
	runtest.Eventually(t, fmt.Sprintf("%d applied records", n), func() bool { return m.count() >= n })
}

func TestAppliesOnceAndContinuesFromTheDatabase(t *testing.T) {
	b, db := newBroker(t, 3), newMemory()
	b.send(t, 0, 500)
	r := b.start(t, db)
	db.await(t, 500)
	r.Stop()
	if got := b.committed(t); got != 500 {
		t.Errorf("Kafka was told %d records after a stop, want 500", got)
	}
	// Whatever Kafka's offsets say, the database's count.
	if _, err := kadm.NewClient(b.client).DeleteGroup(t.Context(), b.group); err != nil {
		t.Fatal(err)
	}
	b.send(t, 500, 600)
	r = b.start(t, db)
	db.await(t, 600)
	r.Stop()
	db.wantOnce(t, 600)
	for _, n := range db.history {
		if n > 50 {
			t.Errorf("a batch had %d records, more than MaxRecords", n)
		}
	}
}

func TestKafkaIsToldWhileRunning(t *testing.T) {
	b, db := newBroker(t, 2), newMemory()
	b.send(t, 0, 120)
	b.start(t, db)
	runtest.Eventually(t, "offsets in Kafka", func() bool { return b.committed(t) == 120 })
}

func TestTakenOverByAnotherConsumer(t *testing.T) {
	b, db := newBroker(t, 1), newMemory()
	p := kafka.Partition{Topic: b.in}
	b.send(t, 0, 10)
	r := b.start(t, db)
	db.await(t, 10)
	before := db.epoch(p)
	if _, err := db.TakeOver(t.Context(), []kafka.Partition{p}); err != nil {
		t.Fatal(err)
	}
	// Our claim is lost: the loop joins anew, and takes over as the group says.
	b.send(t, 10, 20)
	db.await(t, 20)
	r.Stop()
	db.wantOnce(t, 20)
	if got := db.epoch(p); got != before+2 {
		t.Errorf("epoch %d, want %d: one for the other, one for the new session", got, before+2)
	}
}

func TestZombieAppliesNothing(t *testing.T) {
	b, db := newBroker(t, 1), newMemory()
	p := kafka.Partition{Topic: b.in}
	b.send(t, 0, 10)
	zombie := &faulty{memory: db}
	// While the first batch is in hand, another consumer applies it.
	zombie.before = func() error {
		zombie.set(func() { zombie.before = nil })
		claims, err := db.TakeOver(t.Context(), []kafka.Partition{p})
		if err != nil {
			return err
		}
		return db.Apply(t.Context(), []fenced.Batch{{Partition: p, Claim: claims[p], Records: b.records(0, 10)}}, nil)
	}
	r := b.start(t, zombie)
	runtest.Eventually(t, "a new session", func() bool { return db.epoch(p) == 3 })
	b.send(t, 10, 15)
	db.await(t, 15)
	r.Stop()
	db.wantOnce(t, 15)
}

func (b *broker) records(from, to int) []*kgo.Record {
	var rs []*kgo.Record
	for i := from; i < to; i++ {
		rs = append(rs, &kgo.Record{Topic: b.in, Offset: int64(i), Value: []byte(strconv.Itoa(i))})
	}
	return rs
}

func TestLostAnswerOfACommit(t *testing.T) {
	b, db := newBroker(t, 2), newMemory()
	store := &faulty{memory: db}
	lost := 0
	store.after = func() error {
		if lost++; lost%2 == 0 {
			return errAway
		}
		return nil
	}
	b.send(t, 0, 300)
	r := b.start(t, store)
	db.await(t, 300)
	b.send(t, 300, 310)
	db.await(t, 310)
	r.Stop()
	if lost < 2 {
		t.Fatal("no answer was lost")
	}
	db.wantOnce(t, 310)
}

func TestDatabaseLostCommits(t *testing.T) {
	b, db := newBroker(t, 1), newMemory()
	p := kafka.Partition{Topic: b.in}
	b.send(t, 0, 100)
	r := b.start(t, db)
	db.await(t, 100)
	db.restore(p, 30)
	// The next batch finds the database behind, under our epoch: read again
	// from there, skip nothing.
	b.send(t, 100, 110)
	db.await(t, 110)
	r.Stop()
	db.wantOnce(t, 110)
	if got := db.epoch(p); got != 1 {
		t.Errorf("epoch %d, want 1: going back needs no new session", got)
	}
}

// No new record of the partition tells that the database went back.
func TestDatabaseLostCommitsOfAQuietPartition(t *testing.T) {
	b, db := newBroker(t, 2), newMemory()
	b.send(t, 0, 100)
	r := b.start(t, db)
	db.await(t, 100)
	db.restore(kafka.Partition{Topic: b.in, Partition: 1}, 30)
	db.await(t, 100)
	r.Stop()
	db.wantOnce(t, 100)
}

func TestTransientFailureIsTriedAgain(t *testing.T) {
	b, db := newBroker(t, 2), newMemory()
	store := &faulty{memory: db}
	failures := 0
	store.before = func() error {
		if failures++; failures <= 3 {
			return errAway
		}
		return nil
	}
	store.takeOver = func() error {
		store.set(func() { store.takeOver = nil })
		return errAway
	}
	b.send(t, 0, 20)
	r := b.start(t, store)
	db.await(t, 20)
	r.Stop()
	db.wantOnce(t, 20)
}

func TestRebalanceWhileTryingAgain(t *testing.T) {
	b, db := newBroker(t, 4), newMemory()
	stuck := &faulty{memory: db, before: func() error { return errAway }}
	b.send(t, 0, 200)
	first := b.start(t, stuck)
	runtest.Eventually(t, "the first to try", func() bool { return stuck.tried() > 0 })
	// It cannot apply and holds every partition. The second gets its share
	// only if the first gives its batch back; the group waits 60 s, we do not.
	second := b.start(t, db)
	runtest.Eventually(t, "the second to apply", func() bool { return db.count() > 0 })
	stuck.set(func() { stuck.before = nil })
	db.await(t, 200)
	first.Stop()
	second.Stop()
	db.wantOnce(t, 200)
}

func TestFatalFailureStops(t *testing.T) {
	fatal := failure.NewFatal("table missing")
	for name, broken := range map[string]func(*faulty){
		"apply":     func(f *faulty) { f.before = func() error { return fatal } },
		"take over": func(f *faulty) { f.takeOver = func() error { return fatal } },
	} {
		t.Run(name, func(t *testing.T) {
			b, store := newBroker(t, 1), &faulty{memory: newMemory()}
			broken(store)
			b.send(t, 0, 1)
			if err := b.start(t, store).Wait(); !errors.Is(err, fatal) {
				t.Errorf("Run() = %v, want %v", err, fatal)
			}
		})
	}
}

func TestOffsetOutsideTheLogIsFatal(t *testing.T) {
	b, db := newBroker(t, 1), newMemory()
	b.send(t, 0, 5)
	db.claims[kafka.Partition{Topic: b.in}] = fenced.Claim{Epoch: 7, Next: 1000}
	err := b.start(t, db).Wait()
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), b.in+"/0") {
		t.Errorf("Run() = %v, want a Fatal error that names the partition", err)
	}
}

func TestShutdownFinishesTheBatchInHand(t *testing.T) {
	b, db := newBroker(t, 1), newMemory()
	started, goOn := make(chan struct{}), make(chan struct{})
	store := &faulty{memory: db}
	store.before = func() error {
		close(started)
		<-goOn
		return nil
	}
	b.send(t, 0, 5)
	r := b.start(t, store)
	<-started
	r.Cancel()
	close(goOn)
	if err := r.Wait(); err != nil {
		t.Errorf("Run() = %v", err)
	}
	db.wantOnce(t, 5)
}
