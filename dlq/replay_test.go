// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/tracing"
)

func TestReplayGoesBackToItsStage(t *testing.T) {
	w := newWorld(t)
	raw, event := w.letter(1), w.event(2)
	w.write(raw, event)
	w.dlq("replay", "--all", "--yes", "--replay-id", "r1", "--by", "ann").want(t, exitOK, "2 of 2 replayed (replay r1)")

	got := w.read(w.cfg.Topics.Raw)
	if len(got) != 1 {
		t.Fatalf("%d records on the raw topic", len(got))
	}
	r := got[0]
	h := header.List(r.Headers)
	for name, want := range map[string]string{
		header.OriginTopic: w.cfg.Topics.Raw, header.OriginPartition: "1", header.OriginOffset: "1",
		header.ReplayCount: "1", header.ReplayID: "r1",
		header.OriginTraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	} {
		if v, _ := h.Get(name); v != want {
			t.Errorf("header %s is %q, want %q", name, v, want)
		}
	}
	if trace := tracing.SpanContext(r); !trace.IsSampled() || trace.TraceID().String() == "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("the replay is of the trace %v, not of one of its own that is recorded", trace)
	}
	for _, kv := range h {
		if header.IsFailure(kv.Key) {
			t.Errorf("failure header %s was sent", kv.Key)
		}
	}
	if string(r.Key) != string(raw.Key) || string(r.Value) != string(raw.Value) {
		t.Errorf("key or value changed: %q %q", r.Key, r.Value)
	}
	if hook, err := record.ParseWebhook(r); err != nil || hook.Position != raw.Failed {
		t.Errorf("transform would read %+v, %v", hook, err)
	}
	if sink := w.read(w.cfg.Topics.SinkReplay); len(sink) != 1 || string(sink[0].Value) != string(event.Value) {
		t.Errorf("the sink's replay topic holds %v", sink)
	}
	if downstream := w.read(w.cfg.Topics.Events("payment")); len(downstream) != 0 {
		t.Errorf("%d records were sent downstream", len(downstream))
	}
	for _, rec := range w.read(w.cfg.Topics.Resolutions) {
		res, err := record.ParseResolution(rec)
		if err != nil || res.Action != record.Replayed || res.By != "ann" || res.ReplayID != "r1" || res.Target == "" {
			t.Errorf("resolution %+v, %v", res, err)
		}
	}
}

func TestReplayByFilterLeavesTheRest(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(1), w.event(2), w.letter(3))
	w.dlq("replay", "--event-id", "evt_3", "--yes").want(t, exitOK, "1 of 1 replayed")
	if got, want := w.ids(), []string{w.event(2).ID(), w.letter(1).ID()}; !slices.Equal(got, want) {
		t.Errorf("open are %v, want %v", got, want)
	}
	if got := w.ids("--status", "replayed"); !slices.Equal(got, []string{w.letter(3).ID()}) {
		t.Errorf("replayed are %v", got)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	w := newWorld(t)
	looping, large := w.letter(3), w.letter(4)
	looping.Headers.Set(header.ReplayCount, "5")
	large.Value = make([]byte, w.cfg.MaxMessageBytes-6<<10)
	foreign := w.letter(5)
	foreign.Stage = "edge"
	vanished := w.letter(6)
	vanished.Failed.Topic = "gone"
	hopeless := w.letter(7)
	hopeless.Reason = reason.MalformedBody
	cut := w.letter(8)
	cut.Value, cut.Omitted = nil, "value of 9000000 bytes"
	w.write(w.letter(1), w.event(2), looping, foreign, vanished, hopeless, cut)
	cfg := w.cfg
	// The dead letter itself is larger than the replay may be.
	w.write(large)
	w.cfg.MaxMessageBytes -= 4 << 10
	r := w.dlq("replay", "--all", "--dry-run").want(t, exitPartial, "2 to "+w.cfg.Topics.Raw, "1 to "+w.cfg.Topics.SinkReplay,
		"replayed 5 times already", "too large for HOOKSTREAM_MAX_MESSAGE_BYTES", `stage "edge" is unknown`, "topic gone does not exist",
		"too large to be kept",
		"1 of them failed with malformed_body", "dry run: nothing was changed")
	w.golden("replay.dry-run.txt", r.out)
	w.cfg = cfg
	for _, topic := range []string{w.cfg.Topics.Raw, w.cfg.Topics.SinkReplay, w.cfg.Topics.Resolutions} {
		if got := w.read(topic); len(got) != 0 {
			t.Errorf("%d records on %s", len(got), topic)
		}
	}
}

func TestReplayDoesWhatItCanAndSaysWhatItRefused(t *testing.T) {
	w := newWorld(t)
	looping := w.letter(2)
	looping.Headers.Set(header.ReplayCount, "5")
	w.write(w.letter(1), looping)
	r := w.dlq("replay", "--all", "--yes", "-o", "json").want(t, exitPartial)
	var got output.Outcome
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Planned != 1 || got.Done != 1 || len(got.Refused) != 1 || got.Refused[0].Example != looping.ID() {
		t.Errorf("got %+v", got)
	}
	w.dlq("replay", looping.ID(), "--max-replays", "6", "--yes").want(t, exitOK, "1 of 1 replayed")
	for _, rec := range w.read(w.cfg.Topics.Raw) {
		if n, _ := header.List(rec.Headers).Get(header.ReplayCount); n != "1" && n != "6" {
			t.Errorf("replay count %s", n)
		}
	}
}

// TestReplayOfMoreThanTheTopicTakes says how to go on, and sends nothing of the
// transaction in which the record is.
func TestReplayOfMoreThanTheTopicTakes(t *testing.T) {
	w := newWorld(t)
	large := w.letter(4)
	large.Value = make([]byte, 96<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(large.Value) // which no compression makes smaller
	w.write(large)
	w.many(4)
	limit := "65536"
	change := []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}
	if _, err := kadm.NewClient(w.client).AlterTopicConfigs(t.Context(), change, w.cfg.Topics.Raw); err != nil {
		t.Fatal(err)
	}
	w.dlq("replay", large.ID(), "--yes").want(t, exitFailed, "0 of 1 replayed", "max.message.bytes is below HOOKSTREAM_MAX_MESSAGE_BYTES", "MESSAGE_TOO_LARGE")
	if sent := w.read(w.cfg.Topics.Raw); len(sent) != 0 {
		t.Errorf("%d records were sent", len(sent))
	}
	w.cfg.MaxMessageBytes = 64 << 10
	w.dlq("replay", "--all", "--yes").want(t, exitPartial, "4 of 4 replayed", "1 refused: too large for HOOKSTREAM_MAX_MESSAGE_BYTES")
}

func TestReplayTwiceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.many(3)
	id := w.letter(0).ID()
	w.dlq("replay", id, "--yes", "--by", "ann").want(t, exitOK)
	w.dlq("replay", id, "--yes").want(t, exitPartial, "replayed already, by ann at")
	w.dlq("discard", id, "--why", "x", "--yes").want(t, exitPartial, "replayed already, by ann at")
	w.dlq("replay", "--all", "--yes").want(t, exitOK, "2 of 2")
	w.dlq("replay", "--all", "--yes").want(t, exitPartial, "no open dead letter matches")
	w.eachOnce(3)
}

func TestCopiesOfOneFailureAreReplayedOnce(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(0), w.letter(0))
	// A copy under another key lies in another partition.
	for _, key := range []string{"a", "b", "c", "d"} {
		d := w.letter(0)
		d.Key = []byte(key)
		w.write(d)
	}
	w.dlq("replay", "--all", "--yes").want(t, exitOK, "1 of 1 replayed")
	w.eachOnce(1)
}

func TestUnknownIDs(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(1))
	w.dlq("replay", w.letter(1).ID(), "sink:events.payment.v1/0/9", "--yes").want(t, exitPartial,
		"no dead letter has the ID sink:events.payment.v1/0/9", "1 of 1 replayed")
	w.dlq("replay", "evt_1").want(t, exitUsage, `"evt_1" is not the ID of a dead letter: want stage:topic/partition/offset`)
}

func TestSelectionMustBeClear(t *testing.T) {
	w := newWorld(t)
	id := w.letter(1).ID()
	for _, args := range [][]string{{"replay"}, {"replay", "--all", "--stage", "sink"}, {"replay", id, "--all"}, {"replay", id, "--stage", "sink"}} {
		w.dlq(args...).want(t, exitUsage, "select dead letters by IDs, by filter flags, or with --all")
	}
	w.dlq("discard", "--all").want(t, exitUsage, "--why")
	w.dlq("discard", "--all", "--why", " ").want(t, exitUsage, "--why is empty")
}

func TestDiscard(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(1), w.letter(2))
	w.dlq("discard", "--event-id", "evt_1", "--why", "a test", "--by", "bob", "--yes").want(t, exitOK, "1 of 1 discarded")
	if got := w.ids(); !slices.Equal(got, []string{w.letter(2).ID()}) {
		t.Errorf("open are %v", got)
	}
	w.dlq("show", w.letter(1).ID()).want(t, exitOK, "discarded by bob at", ": a test")
	w.dlq("replay", w.letter(1).ID(), "--yes").want(t, exitPartial, "discarded already, by bob")
	if got := w.read(w.cfg.Topics.Raw); len(got) != 0 {
		t.Errorf("%d records were sent", len(got))
	}
}

func TestConfirmation(t *testing.T) {
	w := newWorld(t)
	w.many(1)
	w.dlq("replay", "--all").want(t, exitUsage, "add --yes")
	terminal := func(answer string) *console.Console {
		return &console.Console{In: strings.NewReader(answer), InTerminal: true}
	}
	w.with(terminal(""), "replay", "--all").want(t, exitUsage, "nobody is at a terminal")
	w.with(terminal("\n"), "replay", "--all").want(t, exitPartial, "Replay 1 dead letters as ", "[y/N]", "nothing was changed")
	if got := w.read(w.cfg.Topics.Raw); len(got) != 0 {
		t.Fatalf("%d records were sent", len(got))
	}
	w.with(terminal("y\n"), "replay", "--all").want(t, exitOK, "1 of 1 replayed")
	w.eachOnce(1)
}
