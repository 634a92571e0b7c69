// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
)

func TestShow(t *testing.T) {
	w := newWorld(t)
	raw, event := w.letter(1), w.event(2)
	raw.Value = []byte("{\"id\":\"evt_1\",\"note\":\"\u202egnihsihp\"}")
	event.Headers.Set(header.OriginTopic, w.cfg.Topics.Events("payment"))
	event.Headers.Set(header.OriginPartition, "0")
	event.Headers.Set(header.OriginOffset, "1")
	event.Headers.Set(header.ReplayCount, "1")
	text := w.letter(3)
	text.Value = []byte("not json\n\x1b]0;title\x07")
	w.write(raw, event, text)

	w.golden("show.raw.txt", w.dlq("show", raw.ID()).want(t, exitOK).out)
	w.golden("show.event.txt", w.dlq("show", event.ID()).want(t, exitOK).out)
	out := w.dlq("show", text.ID()).want(t, exitOK, "not json\n  \\u001b]0;title\\u0007").out
	if strings.ContainsRune(out, '\x1b') {
		t.Error("an escape sequence went through")
	}
	if out := w.dlq("show", "--no-payload", raw.ID()).want(t, exitOK, "not shown").out; strings.Contains(out, "gnihsihp") {
		t.Error("--no-payload shows the payload")
	}
}

func TestShowJSONHasEveryByte(t *testing.T) {
	w := newWorld(t)
	for _, d := range []*record.DeadLetter{w.letter(1), w.event(2)} {
		w.write(d)
		r := w.dlq("show", d.ID(), "-o", "json").want(t, exitOK)
		var got output.Full
		if err := json.Unmarshal([]byte(r.out), &got); err != nil {
			t.Fatal(err)
		}
		value := got.PayloadBase64
		if got.Payload != nil {
			value = []byte(*got.Payload)
		}
		if !bytes.Equal(value, d.Value) || len(got.Headers) != len(d.Headers) || got.TraceID != "4bf92f3577b34da6a3ce929d0e0e4736" {
			t.Errorf("got %s", r.out)
		}
	}
}

func TestShowSaysWhatBecameOfIt(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(1))
	id := w.letter(1).ID()
	w.dlq("replay", id, "--yes", "--by", "ann", "--replay-id", "fix-7", "--why", "mapping fixed").want(t, exitOK)
	w.dlq("show", id).want(t, exitOK, "replayed by ann at "+time.Now().UTC().Format("2006-"), "fix-7: mapping fixed", "would be refused: it is replayed")
}

// TestShowNamesTheNewestOfTheSimilar, in whatever partition they lie.
func TestShowNamesTheNewestOfTheSimilar(t *testing.T) {
	w := newWorld(t)
	w.many(20)
	var got output.Full
	r := w.dlq("show", w.letter(3).ID(), "-o", "json").want(t, exitOK)
	if err := json.Unmarshal([]byte(r.out), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{w.letter(19).ID(), w.letter(18).ID(), w.letter(17).ID()}
	if got.Similar.Count != 19 || got.Similar.Open != 19 || !slices.Equal(got.Similar.Newest, want) {
		t.Errorf("similar are %+v, want the newest %v", got.Similar, want)
	}
}

func TestShowOfAnUnknownID(t *testing.T) {
	w := newWorld(t)
	w.dlq("show", "transform:hookstream.raw/0/99").want(t, exitPartial, "no dead letter has the ID transform:hookstream.raw/0/99")
}
