// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
)

// job replays everything, a few dead letters a transaction.
func (w *world) job() *action.Job {
	return &action.Job{
		Kafka: &w.cfg, Log: slog.New(slog.DiscardHandler), Action: record.Replayed,
		Match: func(*letters.Letter) bool { return true }, By: "test", ReplayID: "r",
		MaxReplays: 5, BatchSize: 2,
		TopicExists: func(string) bool { return true }, Foreign: func(record.Position, error) {},
		Planned: func(int) {}, Done: func(int) {}, Now: time.Now,
	}
}

func (w *world) plan(j *action.Job) *action.Plan {
	w.Helper()
	p, err := j.Plan(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func TestInterruptedReplayIsResumed(t *testing.T) {
	w := newWorld(t)
	const n = 20
	w.many(n)
	done := 0
	for runs := 1; ; runs++ {
		ctx, interrupt := context.WithCancel(t.Context())
		j := w.job()
		j.Done = func(int) { interrupt() } // after each first transaction
		p := w.plan(j)
		if p.Total() != n-done {
			t.Fatalf("plan of %d, but %d were sent", p.Total(), done)
		}
		if p.Total() == 0 {
			if runs < 5 {
				t.Errorf("only %d runs: was none interrupted?", runs)
			}
			break
		}
		sent, err := j.Run(ctx, p)
		if sent == 0 || err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("sent %d, %v", sent, err)
		}
		done += sent
	}
	w.eachOnce(n)
}

// TestAResumedReplayKeepsToItsLimit: the command that was interrupted is given again
// as it was, and sends the rest of what it was to send.
func TestAResumedReplayKeepsToItsLimit(t *testing.T) {
	w := newWorld(t)
	w.many(20)
	job := func(done func()) *action.Job {
		j := w.job()
		j.Limit, j.Done = 12, func(int) { done() }
		return j
	}
	ctx, interrupt := context.WithCancel(t.Context())
	j := job(interrupt)
	first, err := j.Run(ctx, w.plan(j))
	if first == 0 || first >= 12 || !errors.Is(err, context.Canceled) {
		t.Fatalf("sent %d, %v", first, err)
	}
	for _, rest := range []int{12 - first, 0} {
		j := job(func() {})
		p := w.plan(j)
		if p.Total() != rest || p.Beyond != 8 {
			t.Errorf("plan of %d with %d beyond the limit, want %d and 8", p.Total(), p.Beyond, rest)
		}
		if sent, err := j.Run(t.Context(), p); sent != rest || err != nil {
			t.Fatalf("sent %d, %v", sent, err)
		}
	}
}

// TestCrashInsideATransaction leaves one open, with its record and its
// resolution written, as an operator's machine that loses power does.
func TestCrashInsideATransaction(t *testing.T) {
	w := newWorld(t)
	const n = 5
	w.many(n)
	at := w.read(w.cfg.Topics.DeadLetters)[0]
	d, err := record.ParseDeadLetter(at)
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := d.Replay(w.cfg.Topics.Raw, "crashed")
	if err != nil {
		t.Fatal(err)
	}
	resolution, err := (&record.Resolution{DeadLetterID: d.ID(), Action: record.Replayed}).Record(w.cfg.Topics.Resolutions)
	if err != nil {
		t.Fatal(err)
	}
	crashed, err := w.cfg.NewClient("crashed", slog.New(slog.DiscardHandler),
		kgo.TransactionalID(action.TransactionalID(w.cfg.Topics.DeadLetters, at.Partition)), kgo.TransactionTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := crashed.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := crashed.ProduceSync(t.Context(), replayed, resolution).FirstErr(); err != nil {
		t.Fatal(err)
	}
	crashed.Close()

	j := w.job()
	// Reading the plan would wait for the open transaction to time out; take
	// it over first, as the run does.
	takeOver, err := w.cfg.NewClient("next", slog.New(slog.DiscardHandler),
		kgo.TransactionalID(action.TransactionalID(w.cfg.Topics.DeadLetters, at.Partition)))
	if err != nil {
		t.Fatal(err)
	}
	defer takeOver.Close()
	if _, _, err := takeOver.ProducerID(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sent, err := j.Run(t.Context(), w.plan(j)); sent != n || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	w.eachOnce(n)
	for _, r := range w.read(w.cfg.Topics.Raw) {
		if id, _ := header.List(r.Headers).Get(header.ReplayID); id != "r" {
			t.Errorf("a record of replay %q was committed", id)
		}
	}
}

func TestSecondOperatorFencesTheFirst(t *testing.T) {
	w := newWorld(t)
	const n = 12
	w.many(n)
	first, second := w.job(), w.job()
	firstPlan, secondPlan := w.plan(first), w.plan(second)
	var sentBySecond int
	once := sync.Once{}
	first.Done = func(int) {
		once.Do(func() {
			var err error
			if sentBySecond, err = second.Run(t.Context(), secondPlan); err != nil {
				t.Error(err)
			}
		})
	}
	sentByFirst, err := first.Run(t.Context(), firstPlan)
	if !errors.Is(err, action.ErrFenced) {
		t.Errorf("the first operator ended with %v, want ErrFenced", err)
	}
	if sentByFirst+sentBySecond != n {
		t.Errorf("%d and %d were sent, want %d together", sentByFirst, sentBySecond, n)
	}
	w.eachOnce(n)
}

func TestOperatorsAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	const n = 40
	w.many(n)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			j := w.job()
			j.BatchSize = 1
			p, err := j.Plan(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := j.Run(t.Context(), p); err != nil && !errors.Is(err, action.ErrFenced) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	j := w.job()
	if _, err := j.Run(t.Context(), w.plan(j)); err != nil {
		t.Fatal(err)
	}
	w.eachOnce(n)
}

func TestOrderWithinAPartitionIsKept(t *testing.T) {
	w := newWorld(t)
	const n = 50
	w.many(n)
	w.dlq("replay", "--all", "--yes", "--batch", "7").want(t, exitOK, "50 of 50")
	last := map[string]time.Time{}
	for _, r := range w.read(w.cfg.Topics.Raw) {
		hook, err := record.ParseWebhook(r)
		if err != nil {
			t.Fatal(err)
		}
		if hook.OccurredAt.Before(last[hook.BusinessKey]) {
			t.Errorf("%s came after a later one of its key", hook.EventID)
		}
		last[hook.BusinessKey] = hook.OccurredAt
	}
	w.eachOnce(n)
}

func TestLettersThatArriveAfterThePlanWait(t *testing.T) {
	w := newWorld(t)
	w.many(3)
	j := w.job()
	p := w.plan(j)
	w.write(w.letter(3), w.letter(4), w.letter(5))
	if sent, err := j.Run(t.Context(), p); sent != 3 || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	w.eachOnce(3)
}

// TestARunSaysWhatItSkipped: a topic that vanished after the plan was made, and
// what another operator did meanwhile.
func TestARunSaysWhatItSkipped(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(0), w.event(1))
	j := w.job()
	p := w.plan(j)
	j.TopicExists = func(topic string) bool { return topic != w.cfg.Topics.SinkReplay }
	if sent, err := j.Run(t.Context(), p); sent != 1 || err != nil {
		t.Fatalf("sent %d, %v", sent, err)
	}
	if len(p.Skipped) != 1 || p.Skipped[0].Count != 1 || p.Skipped[0].Example != w.event(1).ID() || !strings.Contains(p.Skipped[0].Why, "does not exist") {
		t.Errorf("skipped %+v", p.Skipped)
	}

	w.write(w.letter(2), w.letter(3), w.letter(4))
	slow := &console.Console{InTerminal: true, In: answer(func() string {
		w.dlq("discard", w.letter(3).ID(), "--why", "noise", "--yes").want(t, exitOK)
		return "y\n"
	})}
	w.with(slow, "replay", "--stage", "transform").want(t, exitPartial, "2 of 3 replayed", "1 skipped: decided on by somebody else")
}

// answer is a person at the prompt.
type answer func() string

// Read gives the answer.
func (a answer) Read(p []byte) (int, error) { return copy(p, a()), nil }
