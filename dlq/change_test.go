// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/action"
	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/resolutions"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
)

func TestReplayOfListedIDs(t *testing.T) {
	w := newWorld(t)
	w.many(6)
	listed := w.dlq("list", "--event-id", "evt_2,evt_4", "--event-id", "evt_4", "--event-id", "evt_2", "-o", "tsv").want(t, exitOK).out
	in := &console.Console{In: strings.NewReader(listed + "# a comment\n\n")}
	w.with(in, "replay", "--ids", "-", "--yes").want(t, exitOK, "2 of 2 replayed")

	file := filepath.Join(t.TempDir(), "ids")
	if err := os.WriteFile(file, []byte(w.letter(0).ID()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.dlq("discard", "--ids", file, "--why", "x", "--yes").want(t, exitOK, "1 of 1 discarded")
	w.dlq("replay", "--ids", file+"x").want(t, exitUsage, "no such file")
	w.with(&console.Console{In: strings.NewReader("evt_1\n")}, "replay", "--ids", "-").want(t, exitUsage, "line 1", "is not the ID")
	w.with(&console.Console{In: strings.NewReader("")}, "replay", "--ids", "-").want(t, exitUsage, "has no IDs")
}

func TestReplayLimit(t *testing.T) {
	w := newWorld(t)
	w.many(10)
	w.dlq("replay", "--all", "--limit", "4", "--yes").want(t, exitOK, "6 more match, beyond --limit", "4 of 4 replayed")
	w.dlq("replay", "--all", "--limit", "6", "--yes").want(t, exitOK, "6 of 6 replayed")
	w.eachOnce(10)
}

func TestSomebodyAnswersForAChange(t *testing.T) {
	w := newWorld(t)
	w.many(1)
	for _, args := range [][]string{{"replay", "--all"}, {"discard", "--all", "--why", "x"}, {"undo", "--all"}, {"edit", w.letter(0).ID()}} {
		w.dlq(append(args, "--by", " ", "--yes")...).want(t, exitUsage, "--by is empty")
	}
}

func TestPace(t *testing.T) {
	p := &action.Pace{Rate: 100}
	start := time.Now()
	for range 3 {
		if err := p.Wait(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < 200*time.Millisecond {
		t.Errorf("30 at 100 a second began within %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx, 1); err == nil {
		t.Error("waited on after the context ended")
	}
}

func TestUndo(t *testing.T) {
	w := newWorld(t)
	w.many(3)
	id := w.letter(1).ID()
	w.dlq("undo", id, "--yes").want(t, exitPartial, "there is no discard to take back")
	w.dlq("discard", id, "--why", "noise", "--by", "ann", "--yes").want(t, exitOK)
	w.dlq("undo", "--all", "--by", "bob", "--why", "not noise", "--yes").want(t, exitOK, "1 of 1 reopened")
	if got := w.ids(); len(got) != 3 {
		t.Errorf("open are %v", got)
	}
	w.dlq("show", id).want(t, exitOK, "open; the discard was taken back by bob", "not noise", "would go to")
	resolved, err := resolutions.Read(t.Context(), &w.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if r := resolved.Get(&letters.Letter{ID: id, Digest: letters.DigestOf(id)}); r == nil || r.Previous == nil || r.Previous.By != "ann" || r.Previous.Why != "noise" {
		t.Errorf("the discard is forgotten: %+v", r)
	}
	w.dlq("replay", "--all", "--yes").want(t, exitOK, "3 of 3")
	w.dlq("undo", id, "--yes").want(t, exitPartial, "replayed already, by")
	w.dlq("undo", "--all", "--yes").want(t, exitPartial, "no discarded dead letter matches")
}

func TestReplayWithAPatch(t *testing.T) {
	w := newWorld(t)
	w.many(3)
	broken := w.letter(5)
	broken.Value = []byte("a=b")
	w.write(broken)
	w.dlq("replay", "--all", "--patch", ".amount |").want(t, exitUsage, "--patch")
	w.dlq("replay", "--all", "--patch", ".amount |= tostring", "--dry-run").want(t, exitPartial,
		"3 of them with another payload", `+  "amount": "`, "refused: its payload is not JSON")
	w.dlq("replay", "--all", "--patch", ".amount |= tostring", "--by", "ann", "--yes").want(t, exitPartial, "3 of 3 replayed")
	for _, r := range w.read(w.cfg.Topics.Raw) {
		hook, err := record.ParseWebhook(r)
		if err != nil {
			t.Fatal(err)
		}
		var body struct{ ID, Amount string }
		if err := json.Unmarshal(r.Value, &body); err != nil || body.ID != hook.EventID {
			t.Errorf("%s was sent: %v", r.Value, err)
		}
		if by, _ := header.List(r.Headers).Get(header.EditedBy); by != "ann" {
			t.Errorf("edited by %q", by)
		}
	}
	for _, r := range w.read(w.cfg.Topics.Resolutions) {
		res, err := record.ParseResolution(r)
		if err != nil || res.Edit == nil || res.Edit.Patch != ".amount |= tostring" || !strings.Contains(res.Edit.Diff, `-  "amount": `) {
			t.Errorf("resolution %+v, %v", res, err)
		}
	}
	for _, r := range w.read(w.cfg.Topics.DeadLetters) {
		if strings.Contains(string(r.Value), `"amount":"`) {
			t.Errorf("a dead letter was changed: %s", r.Value)
		}
	}
}

func TestEdit(t *testing.T) {
	w := newWorld(t)
	w.many(2)
	id := w.letter(1).ID()
	with := func(payload string, args ...string) result {
		return w.with(&console.Console{In: strings.NewReader(payload)}, append([]string{"edit", id, "--file", "-", "--yes"}, args...)...)
	}
	with("{\n\"amount\": }").want(t, exitUsage, "the edited payload is not JSON: line 2, column 11: invalid character")
	with(`{"amount":1,"data":{"object":{"id":"ch_1"}},"id":"evt_1"}`).want(t, exitPartial, "nothing was edited")
	w.dlq("edit", id).want(t, exitUsage, "nobody is at a terminal to edit")
	with(`{"id":"evt_1","amount":7}`, "--why", "typo").want(t, exitOK, `+  "amount": 7`, "1 of 1 replayed")
	with(`{"id":"evt_1","amount":8}`).want(t, exitPartial, "replayed already")
	sent := w.read(w.cfg.Topics.Raw)
	if len(sent) != 1 || string(sent[0].Value) != `{"id":"evt_1","amount":7}` || string(sent[0].Key) != "default/stripe/pi_1" {
		t.Errorf("sent %v", sent)
	}
	if got := w.ids(); !slices.Equal(got, []string{w.letter(0).ID()}) {
		t.Errorf("open are %v", got)
	}
	w.dlq("edit", "sink:events.payment.v1/0/9", "--file", "x").want(t, exitPartial, "no dead letter has the ID")
}

func TestEditInAnEditor(t *testing.T) {
	w := newWorld(t)
	w.many(2)
	w.with(editor(t, `sed -i 's/"amount": 1/"amount": 9/' "$1"`), "edit", w.letter(1).ID(), "--yes").want(t, exitOK, "1 of 1 replayed")
	if sent := w.read(w.cfg.Topics.Raw); len(sent) != 1 || !strings.Contains(string(sent[0].Value), `"amount":9`) {
		t.Errorf("sent %v", sent)
	}
}

// editor is one that runs a shell command, with the file as $1.
func editor(t *testing.T, command string) *console.Console {
	t.Helper()
	file := filepath.Join(t.TempDir(), "editor")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+command+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VISUAL", file)
	t.Setenv("TMPDIR", t.TempDir())
	return &console.Console{In: strings.NewReader(""), InTerminal: true}
}

// kept are the files that edits left.
func kept(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "dlq-edit-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestEditKeepsWhatWasEdited until it is sent.
func TestEditKeepsWhatWasEdited(t *testing.T) {
	w := newWorld(t)
	w.many(2)
	for name, c := range map[string]struct {
		edit, want string
		args       []string
		code       int
	}{
		"not JSON":         {`echo '{"amount":' > "$1"`, "the edited payload is not JSON", nil, exitUsage},
		"the editor fails": {`echo '{"amount":9}' > "$1"; exit 1`, "exit status 1", nil, exitUsage},
		"a dry run":        {`echo '{"amount":9}' > "$1"`, "nothing was changed", []string{"--dry-run"}, exitOK},
		"nobody confirms":  {`echo '{"amount":9}' > "$1"`, "nobody is at a terminal", nil, exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			c.args = append([]string{"edit", w.letter(1).ID()}, c.args...)
			r := w.with(editor(t, c.edit), c.args...).want(t, c.code, c.want, "what you edited is kept")
			files := kept(t)
			if len(files) != 1 || !strings.Contains(r.err, "--file "+files[0]) {
				t.Fatalf("kept are %v", files)
			}
			if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), `{"amount":`) {
				t.Errorf("kept is %s, %v", text, err)
			}
		})
	}
	w.with(editor(t, "true"), "edit", w.letter(1).ID(), "--yes").want(t, exitPartial, "nothing was edited")
	if files := kept(t); len(files) != 0 {
		t.Errorf("%v are left where nothing was edited", files)
	}
	w.with(editor(t, `echo '{"amount":9}' > "$1"`), "edit", w.letter(1).ID(), "--yes").want(t, exitOK, "1 of 1 replayed")
	if files := kept(t); len(files) != 0 {
		t.Errorf("%v are left after they were sent", files)
	}
}

// TestEditRefusesBeforeTheEditorOpens.
func TestEditRefusesBeforeTheEditorOpens(t *testing.T) {
	w := newWorld(t)
	raw := w.letter(1)
	raw.Value = []byte("\xff\xfe")
	w.write(w.letter(0), raw, w.event(2))
	w.dlq("discard", w.letter(0).ID(), "--why", "noise", "--by", "ann", "--yes").want(t, exitOK)
	for id, want := range map[string]string{
		w.letter(0).ID(): "discarded already, by ann",
		raw.ID():         "give the payload with --file",
		w.event(2).ID():  "its payload is Avro",
	} {
		opened := filepath.Join(t.TempDir(), "opened")
		w.with(editor(t, "touch "+opened), "edit", id, "--yes").want(t, exitPartial, "cannot be edited", want)
		if _, err := os.Stat(opened); err == nil || len(kept(t)) != 0 {
			t.Errorf("%s was opened", id)
		}
	}
	w.with(&console.Console{In: strings.NewReader("x")}, "edit", w.event(2).ID(), "--file", "-", "--yes").want(t, exitPartial, "its payload is Avro")
}

func TestOutcomesWithoutALedger(t *testing.T) {
	w := newWorld(t)
	w.many(3)
	w.dlq("replay", "--all", "--replay-id", "r1", "--yes").want(t, exitOK)
	w.dlq("replay", "--all", "--yes", "--wait").want(t, exitUsage, "HOOKSTREAM_DATABASE_URL")

	// One fails again in transform, one comes through and fails in the sink.
	again := w.letter(0)
	again.Failed = record.Position{Topic: w.cfg.Topics.Raw, Partition: 1, Offset: 100}
	again.LastFailedAt = time.Now().Add(time.Minute)
	for _, h := range [][2]string{
		{header.OriginTopic, w.cfg.Topics.Raw}, {header.OriginPartition, "1"}, {header.OriginOffset, "0"},
		{header.ReplayCount, "1"}, {header.ReplayID, "r1"},
	} {
		again.Headers.Set(h[0], h[1])
	}
	late := w.event(1)
	late.LastFailedAt = time.Now().Add(time.Minute)
	w.write(again, late)
	want := []string{w.letter(0).ID(), w.letter(1).ID()}
	got := w.ids("--status", "failed-again", "--run", "r1")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("failed again are %v, want %v", got, want)
	}
	if got := w.ids("--status", "unknown"); !slices.Equal(got, []string{w.letter(2).ID()}) {
		t.Errorf("unknown are %v", got)
	}
	w.dlq("show", w.letter(0).ID()).want(t, exitOK, "it failed again as", again.ID())
	w.dlq("show", w.letter(2).ID()).want(t, exitOK, "HOOKSTREAM_DATABASE_URL")
}
