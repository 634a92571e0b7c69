// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"strings"
	"testing"

	"github.com/hookstream/hookstream/dlq/internal/output"
)

// nobody is a database at an address where nobody listens.
const nobody = "postgres://mira:hunter2@127.0.0.1:1/hookstream?sslmode=disable"

// TestLooksGoOnWithoutTheLedger and say once what is missing, where it is not what
// was asked for.
func TestLooksGoOnWithoutTheLedger(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(1), w.letter(2))
	replayed, open := w.letter(1).ID(), w.letter(2).ID()
	w.dlq("replay", replayed, "--yes", "--replay-id", "r1").want(t, exitOK)

	const warning = "without outcomes of replays: read the sink's ledger"
	shown := w.dlq("show", open, "--database-url", nobody).want(t, exitOK, "would go to")
	if strings.Contains(shown.err, warning) {
		t.Errorf("an open dead letter needs no ledger:\n%s", shown.err)
	}
	w.dlq("simulate", replayed, "--database-url", nobody).want(t, exitOK, "1 of 1 would pass")
	for _, args := range [][]string{{"show", replayed}, {"list", "--status", "all"}, {"list", "--status", "replayed", "-o", "json"}} {
		got := w.dlq(append(args, "--database-url", nobody)...).want(t, exitOK, replayed)
		if strings.Count(got.err, warning) != 1 || strings.Contains(got.err, "hunter2") {
			t.Errorf("%v warns:\n%s", args, got.err)
		}
	}
	words := strings.Fields(w.dlq("show", replayed, "--database-url", nobody).want(t, exitOK).out)
	if text := strings.Join(words, " "); !strings.Contains(text, "is unknown: the sink") { // wherever lines break
		t.Errorf("the outcome is not unknown:\n%s", text)
	}

	for _, args := range [][]string{{"list", "--status", "succeeded"}, {"list", "--status", "unknown"}, {"replay", open, "--yes", "--wait"}} {
		w.dlq(append(args, "--database-url", nobody)...).want(t, exitFailed, "read the sink's ledger (HOOKSTREAM_DATABASE_URL")
	}
}

func TestAPIGoesOnWithoutTheLedger(t *testing.T) {
	w := newStoppedAPI(t)
	cfg := serveConfig(w.world)
	cfg.Database = nobody
	w.startWith(cfg)
	w.write(w.letter(1), w.letter(2))
	replayed, open := w.letter(1).ID(), w.letter(2).ID()
	w.dlq("replay", replayed, "--yes", "--replay-id", "r1").want(t, exitOK)

	if full := want[output.Full](t, w.call("read", "GET", "/v1/dead-letters/"+open, nil), 200); full.Outcome != nil {
		t.Errorf("the open one has the outcome %+v", full.Outcome)
	}
	full := want[output.Full](t, w.call("read", "GET", "/v1/dead-letters/"+replayed, nil), 200)
	if full.Outcome == nil || full.Outcome.State != "unknown" || full.Outcome.Why != "the sink's ledger cannot be read" {
		t.Errorf("the replayed one has the outcome %+v", full.Outcome)
	}
	if page := w.list("status=all"); len(page.Items) != 2 {
		t.Errorf("lists %+v", page)
	}
	want[object](t, w.call("read", "GET", "/v1/dead-letters?status=succeeded", nil), 503)
	want[object](t, w.call("read", "GET", "/v1/replays/r1/outcomes", nil), 503)
}
