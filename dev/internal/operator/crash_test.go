// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
	"github.com/hookstream/hookstream/stage/crash"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// backlog is a broker with dead letters of both stages in two partitions, enough
// for two transactions in each.
type backlog struct {
	*testing.T
	cfg    kafka.Config
	client *kgo.Client
	tool   tool
	// planned is how often each dead letter must be sent, by target topic and
	// event id: once.
	planned map[string]int
}

const (
	letters   = 6 // in a partition
	batchSize = "4"
	replayID  = "night-shift"
)

func newBacklog(t *testing.T, program string, brokers []string, topics topic.Names) *backlog {
	t.Helper()
	w := &backlog{T: t, planned: map[string]int{}, cfg: kafka.Config{
		Brokers: brokers, Topics: topics, Partitions: 2, Replication: -1,
		MaxMessageBytes: 128 << 10, Retention: time.Hour, DedupWindow: time.Hour,
	}}
	var err error
	if w.client, err = w.cfg.NewClient("test", quiet, kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if err := w.cfg.EnsureTopics(t.Context(), w.client, quiet); err != nil {
		t.Fatal(err)
	}
	w.tool = tool{program, environment(&w.cfg)}
	for partition := range w.cfg.Partitions {
		for n := range letters {
			w.fail(partition, n)
		}
	}
	return w
}

var quiet = slog.New(slog.DiscardHandler)

// fail writes a dead letter: of transform, or every third of the sink.
func (w *backlog) fail(partition int32, n int) {
	w.Helper()
	id := fmt.Sprintf("evt_%d_%d", partition, n)
	now := time.Now().UTC().Truncate(time.Microsecond)
	hook := record.Webhook{
		Tenant: "default", Provider: "stripe", EventID: id, IdentitySource: identity.ProviderID, EventType: "charge.failed",
		BusinessKey: "pi_" + id, OccurredAt: now, ReceivedAt: now, CorrelationID: id, ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"id":%q}`, id),
	}
	r := hook.Record(w.cfg.Topics.Raw)
	letter := record.DeadLetter{
		Stage: record.StageTransform, Failed: record.Position{Topic: w.cfg.Topics.Raw, Partition: partition, Offset: int64(n)},
		Class: "permanent", Reason: reason.MappingFailed, Message: "no amount", Attempts: 1, FirstFailedAt: now, LastFailedAt: now,
		Key: r.Key, Value: r.Value, Headers: header.List(r.Headers),
	}
	target := w.cfg.Topics.Raw
	if n%3 == 2 {
		letter.Stage, letter.Reason, target = record.StageSink, reason.ConstraintViolation, w.cfg.Topics.SinkReplay
		letter.Failed.Topic = w.cfg.Topics.Events("payment")
	}
	w.planned[target+" "+id] = 1
	out := letter.Record(w.cfg.Topics.DeadLetters)
	out.Partition = partition
	if err := w.client.ProduceSync(w.Context(), out).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// replay is the command that is killed and given again.
var replay = []string{"replay", "--all", "--yes", "--batch", batchSize, "--replay-id", replayID, "-o", "json"}

// killedAt runs the replay with a crash point armed and reports whether it died
// there. Else it came to its end.
func (w *backlog) killedAt(point crash.Point, pass int) bool {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), w.tool.program, replay...)
	cmd.Env = append(w.tool.env[:len(w.tool.env):len(w.tool.env)], fmt.Sprintf("%s=%s@%d", crash.Variable, point, pass))
	var said strings.Builder
	cmd.Stderr = &said
	err := cmd.Run()
	if killed(cmd) && strings.Contains(said.String(), string(point)) {
		return true
	}
	if err != nil {
		w.Fatalf("%v: %s", err, said.String())
	}
	return false
}

func killed(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// resume gives the command again, as often as there is something left.
func (w *backlog) resume() {
	w.Helper()
	for range 3 {
		var did struct{ Planned, Done int }
		r := w.tool.start(w.T, replay...)
		if r.code != 0 && r.code != 3 {
			w.Fatalf("resumed: exit code %d\n%s", r.code, r.err)
		}
		if decode(w.T, r, &did); did.Planned == 0 {
			return
		}
		// A commit may have been under way when this was planned.
		if did.Done < did.Planned && r.code != 3 {
			w.Errorf("%d of %d, and exit code %d", did.Done, did.Planned, r.code)
		}
	}
	w.Error("the replay comes to no end")
}

// compare counts what is committed on the targets, and the resolutions.
func (w *backlog) compare() {
	w.Helper()
	sent := map[string]int{}
	for _, target := range []string{w.cfg.Topics.Raw, w.cfg.Topics.SinkReplay} {
		w.read(target, func(r *kgo.Record) {
			h := header.List(r.Headers)
			id, _ := h.Get(header.ID)
			if run, _ := h.Get(header.ReplayID); run != replayID {
				w.Errorf("%s was sent by replay %q", id, run)
			}
			sent[target+" "+id]++
		})
	}
	for what := range sent {
		if w.planned[what] == 0 {
			w.Errorf("%s was sent and is not in the plan", what)
		}
	}
	for what := range w.planned {
		if sent[what] != 1 {
			w.Errorf("%s was sent %d times", what, sent[what])
		}
	}
	resolved := map[string]int{}
	w.read(w.cfg.Topics.Resolutions, func(r *kgo.Record) { resolved[string(r.Key)]++ })
	if len(resolved) != len(w.planned) {
		w.Errorf("%d dead letters are resolved, want %d", len(resolved), len(w.planned))
	}
	for id, n := range resolved {
		if n != 1 {
			w.Errorf("%s was resolved %d times", id, n)
		}
	}
}

// read gives every committed record of a topic.
func (w *backlog) read(topic string, do func(*kgo.Record)) {
	w.Helper()
	err := w.cfg.ReadToEnd(w.Context(), "test", quiet, kafka.Partitions{topic: nil}, func(r *kgo.Record) error {
		do(r)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

var points = []crash.Point{crash.BeforeTakeOver, crash.AfterTakeOver, crash.InReplay, crash.BeforeReplayEnd, crash.AfterReplayEnd}

// TestReplayKilledAtEveryCrashPoint kills the tool at each pass of each of its
// crash points, and gives the same command again.
func TestReplayKilledAtEveryCrashPoint(t *testing.T) {
	program := build(t, "chaos")
	for _, point := range points {
		t.Run(string(point), func(t *testing.T) {
			each(t, func(t *testing.T, pass int) bool {
				b := kafkatest.New(t)
				w := newBacklog(t, program, b.Addresses, b.Topics())
				died := w.killedAt(point, pass)
				w.resume()
				w.compare()
				return died
			})
		})
	}
}

// TestReplayKilledAtEveryRequest is the same from the broker's side and with the
// program that is shipped: for each request that changes something, the tool is
// killed before the broker has it, and after that but before the answer.
func TestReplayKilledAtEveryRequest(t *testing.T) {
	const why = "it must hold a request while its sender is killed"
	kafkatest.Fake(t, why) // or the test is skipped
	program := build(t, "")
	for name, lost := range map[string]bool{"request lost": true, "answer lost": false} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, nth int) bool {
				broker := kafkatest.Fake(t, why)
				w := newBacklog(t, program, broker.ListenAddrs(), topic.DefaultNames())
				died := w.killedAtRequest(broker, nth, lost)
				w.resume()
				w.compare()
				return died
			})
		})
	}
}

// each tries what is to die at the first time, the second, and so on, until it
// does not die any more. It must have died once.
func each(t *testing.T, dies func(t *testing.T, nth int) bool) {
	t.Helper()
	n := 0
	for died := true; died && !t.Failed(); {
		n, died = n+1, false
		t.Run(strconv.Itoa(n), func(t *testing.T) { died = dies(t, n) })
	}
	if n < 2 && !t.Failed() {
		t.Error("nothing was killed")
	}
}

// killedAtRequest runs the replay and kills it while the broker holds its nth
// request that changes something, which the broker then carries out or not. It
// reports whether there was one.
func (w *backlog) killedAtRequest(broker *kfake.Cluster, nth int, lost bool) bool {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), w.tool.program, replay...)
	cmd.Env = w.tool.env
	started, ended := make(chan *os.Process, 1), make(chan struct{})
	seen := 0
	broker.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		if !changes(r) {
			return nil, nil, false
		}
		if seen++; seen != nth {
			return nil, nil, false
		}
		_ = (<-started).Kill() // the test sees how it ended
		<-ended
		return nil, errors.New("the request is lost"), lost
	})
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	started <- cmd.Process
	err := cmd.Wait()
	close(ended)
	if err != nil && !killed(cmd) {
		w.Fatal(err)
	}
	return err != nil
}

// changes reports whether a request changes anything at the broker.
func changes(r kmsg.Request) bool {
	switch r.(type) {
	case *kmsg.InitProducerIDRequest, *kmsg.AddPartitionsToTxnRequest, *kmsg.ProduceRequest, *kmsg.EndTxnRequest:
		return true
	}
	return false
}
