// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/record"
)

// applied is a ledger that has the events of w's letters below a number.
type applied struct {
	w    *world
	upTo int
}

// Sources looks the events up.
func (a applied) Sources(_ context.Context, events []outcome.Event) ([]*outcome.Source, error) {
	sources := make([]*outcome.Source, len(events))
	for i, e := range events {
		for n := range a.upTo {
			id, _ := a.w.letter(n).Headers.Get(header.ID)
			if e.Fingerprint == identity.Of("default", "stripe", id) {
				sources[i] = &outcome.Source{Raw: a.w.letter(n).Failed}
			}
		}
	}
	return sources, nil
}

// Close does nothing.
func (applied) Close(context.Context) error { return nil }

// waiting is a session whose ledger has the first events.
func (w *world) waiting(upTo int) (*session, *bytes.Buffer) {
	w.Helper()
	var out bytes.Buffer
	cfg := w.cfg
	s := &session{
		ctx: w.Context(), cfg: &cfg, database: "postgres://fake/hookstream", postgres: applied{w, upTo},
		Console: &console.Console{In: strings.NewReader(""), Out: &out, Err: &bytes.Buffer{}},
	}
	w.Cleanup(s.close)
	if err := s.open(); err != nil {
		w.Fatal(err)
	}
	return s, &out
}

// TestWhatIsNotSeenIsPending: another operator's transaction is open where the
// resolutions of this replay lie.
func TestWhatIsNotSeenIsPending(t *testing.T) {
	w := newWorld(t)
	ids := w.many(3)
	w.dlq("replay", ids[0], ids[1], "--yes", "--replay-id", "r1").want(t, exitOK)
	other, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Brokers...), kgo.TransactionalID(w.cfg.Topics.Resolutions+"other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for n := range int32(partitions) {
		if err := other.ProduceSync(t.Context(), &kgo.Record{Topic: w.cfg.Topics.Resolutions, Partition: n, Key: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	third, err := (&record.Resolution{DeadLetterID: ids[2], Action: record.Replayed, ReplayID: "r1", At: time.Now()}).Record(w.cfg.Topics.Resolutions)
	if err != nil {
		t.Fatal(err)
	}
	w.produce(third)

	s, out := w.waiting(3)
	if err := (&sending{ReplayID: "r1"}).wait(s, "json", 3); !errors.Is(err, errPartial) { // one look
		t.Errorf("ended with %v", err)
	}
	if got := tallied(t, out); got.Succeeded != 2 || got.Pending != 1 {
		t.Errorf("got %+v", got)
	}
	if err := other.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := (&sending{ReplayID: "r1", WaitTimeout: time.Minute}).wait(s, "json", 3); err != nil {
		t.Error(err)
	}
	if got := tallied(t, out); got.Succeeded != 3 || got.Pending != 0 {
		t.Errorf("then got %+v", got)
	}
}

// tallied is the last of what was printed.
func tallied(t *testing.T, out *bytes.Buffer) (last output.Tally) {
	t.Helper()
	for d := json.NewDecoder(out); d.More(); {
		last = output.Tally{}
		if err := d.Decode(&last); err != nil {
			t.Fatal(err)
		}
	}
	return last
}

// TestWaitingIsResumed by the same command with the same ID, which has nothing
// left to send.
func TestWaitingIsResumed(t *testing.T) {
	w := newWorld(t)
	ids := w.many(3)
	w.dlq("replay", "--all", "--yes", "--replay-id", "r1").want(t, exitOK)
	for name, c := range map[string]struct {
		job  action.Job
		upTo int
		want error
	}{
		"all succeeded": {action.Job{Match: w.job().Match}, 3, nil},
		"by name":       {action.Job{IDs: ids}, 3, nil},
		"one is open":   {action.Job{Match: w.job().Match}, 2, errPartial},
	} {
		s, out := w.waiting(c.upTo)
		r, d := sending{ReplayID: "r1", Wait: true, MaxReplays: 5, Batch: 10}, decided{Yes: true, By: "ann", Output: "json"}
		job, err := r.job()
		if err != nil {
			t.Fatal(err)
		}
		job.IDs, job.Match = c.job.IDs, c.job.Match
		if err := r.run(s, &d, job); !errors.Is(err, c.want) {
			t.Errorf("%s: ended with %v", name, err)
		}
		if got := tallied(t, out); got.ReplayID != "r1" || got.Succeeded != c.upTo || got.Pending != 3-c.upTo {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	w.eachOnce(3)
}

// TestAResumeLeavesOutWhatFailedAgain, which would go round else.
func TestAResumeLeavesOutWhatFailedAgain(t *testing.T) {
	w := newWorld(t)
	ids := w.many(4)
	w.dlq("replay", ids[0], ids[1], "--yes", "--replay-id", "r1").want(t, exitOK)
	again := w.letter(0)
	again.Failed.Offset = 100
	for _, h := range [][2]string{
		{header.OriginTopic, w.cfg.Topics.Raw}, {header.OriginPartition, "1"}, {header.OriginOffset, "0"},
		{header.ReplayCount, "1"}, {header.ReplayID, "r1"},
	} {
		again.Headers.Set(h[0], h[1])
	}
	w.write(again)

	w.dlq("replay", "--all", "--yes", "--replay-id", "r1").want(t, exitOK, "2 of 2 replayed",
		"2 were sent before by this replay", "1 left out: they failed again in this replay")
	w.eachOnce(4)
	w.dlq("replay", "--all", "--dry-run", "--replay-id", "r2").want(t, exitOK, "1 to "+w.cfg.Topics.Raw)
	w.dlq("replay", again.ID(), "--yes", "--replay-id", "r1").want(t, exitOK, "1 of 1 replayed")
}

// ledgerOf is a ledger of one event.
type ledgerOf struct {
	event  identity.Fingerprint
	source outcome.Source
}

// Sources looks the events up.
func (l ledgerOf) Sources(_ context.Context, events []outcome.Event) ([]*outcome.Source, error) {
	sources := make([]*outcome.Source, len(events))
	for i, e := range events {
		if e.Fingerprint == l.event {
			sources[i] = &l.source
		}
	}
	return sources, nil
}

// Close does nothing.
func (ledgerOf) Close(context.Context) error { return nil }
