// SPDX-License-Identifier: Apache-2.0

package transact_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/transact"
)

// worker is a copier with work of its own: it writes the values that are still to be
// written, as its state, which a restore reads back, says.
type worker struct {
	copier
	broker *broker
	values []string
	// gate, where set, is waited for in Work, after entered was called.
	entered func()
	gate    <-chan struct{}

	// idle work gives no output.
	idle bool

	state   sync.Mutex
	parts   []kafka.Partition
	written map[string]bool
	fail    int
	fails   atomic.Int64
	// tries are the calls of Work.
	tries atomic.Int64
}

func (w *worker) start(t *testing.T, id string) *runtest.Run {
	t.Helper()
	w.out = w.broker.out
	loop, err := transact.New(w.broker.config(id), w)
	if err != nil {
		t.Fatal(err)
	}
	return runtest.Start(t, loop.Run)
}

func (w *worker) Restore(ctx context.Context, parts []kafka.Partition) error {
	written := map[string]bool{}
	err := w.broker.cfg.ReadToEnd(ctx, "restore", runtest.Logger(), kafka.Partitions{w.out: nil}, func(r *kgo.Record) error {
		written[string(r.Value)] = true
		return nil
	})
	w.state.Lock()
	defer w.state.Unlock()
	w.parts, w.written = parts, written
	return err
}

func (w *worker) Forget([]kafka.Partition) {
	w.state.Lock()
	defer w.state.Unlock()
	w.parts = nil
}

func (w *worker) Due() time.Time {
	w.state.Lock()
	defer w.state.Unlock()
	if len(w.parts) == 0 || len(w.left()) == 0 {
		return time.Time{}
	}
	return time.Now()
}

func (w *worker) left() []string {
	return slices.DeleteFunc(slices.Clone(w.values), func(v string) bool { return w.written[v] })
}

func (w *worker) Work(context.Context) (transact.Output, error) {
	w.tries.Add(1)
	if w.entered != nil {
		w.entered()
		<-w.gate
	}
	w.state.Lock()
	defer w.state.Unlock()
	if w.fails.Load() < int64(w.fail) {
		w.fails.Add(1)
		return transact.Output{}, errPassing
	}
	if w.idle {
		return transact.Output{}, nil
	}
	left := w.left()
	o := transact.Output{Fence: w.parts, Committed: func() {
		w.state.Lock()
		defer w.state.Unlock()
		for _, v := range left {
			w.written[v] = true
		}
	}}
	for _, v := range left {
		o.Records = append(o.Records, &kgo.Record{Topic: w.out, Value: []byte(v)})
	}
	return o, nil
}

// TestWorkNeedsNoRecords: it is done on an idle topic, and tried again where it
// fails, while records go on.
func TestWorkNeedsNoRecords(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.copied(t, 10)
	w := &worker{broker: b, values: []string{"x", "y"}, fail: 3}
	w.start(t, "a")
	b.wantOutput(t, 12)
	b.send(t, 10, 20)
	b.wantOutput(t, 22)
	if n := w.fails.Load(); n != 3 {
		t.Errorf("work failed %d times, want 3", n)
	}
}

// TestRecordsGoOnWhileThereIsWork: even where it is due all the time.
func TestRecordsGoOnWhileThereIsWork(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	w := &worker{broker: b, values: []string{"x"}, idle: true}
	w.start(t, "a")
	runtest.Eventually(t, "work", func() bool { return w.tries.Load() > 10 })
	b.send(t, 0, 100)
	b.wantOutput(t, 100)
}

// TestLateWorkIsFenced: one who was taken for dead in the middle of its work, and
// does not know it, commits nothing of it when it goes on.
func TestLateWorkIsFenced(t *testing.T) {
	t.Parallel()
	cluster, b := newFake(t, "Kafka answers no heartbeat that it has not seen", kfake.GroupMinSessionTimeout(time.Second))
	b.session = time.Second
	b.copied(t, 10)

	entered, gate := make(chan struct{}), make(chan struct{})
	late := &worker{broker: b, values: []string{"x", "y"}, entered: sync.OnceFunc(func() { close(entered) }), gate: gate}
	late.start(t, "late")
	<-entered
	member := b.member(t)
	cluster.ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, ok := r.(*kmsg.HeartbeatRequest)
		return r.ResponseKind(), nil, ok && req.MemberID == member // it believes that all is well
	})
	heir := &worker{broker: b, values: []string{"x", "y"}}
	heir.start(t, "heir")
	b.wantOutput(t, 12)
	close(gate)
	runtest.Eventually(t, "the end of the late one's transaction", func() bool { return late.tries.Load() > 1 || late.Due().IsZero() })
	b.wantOutput(t, 12)
}

// copied has a first owner copy n records.
func (b *broker) copied(t *testing.T, n int) {
	t.Helper()
	b.send(t, 0, n)
	r := b.start(t, b.config("first"), &copier{})
	b.wantOutput(t, n)
	r.Stop()
}

// member is the id of the group's only one.
func (b *broker) member(t *testing.T) string {
	t.Helper()
	groups, err := kadm.NewClient(b.client).DescribeGroups(t.Context(), b.group)
	if err != nil || len(groups[b.group].Members) != 1 {
		t.Fatalf("%+v, %v", groups, err)
	}
	return groups[b.group].Members[0].MemberID
}
