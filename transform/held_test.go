// SPDX-License-Identifier: Apache-2.0

package transform_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/transform"
)

// mixed are webhooks of two types about the same few keys, some of which no definition
// maps.
type mixed struct {
	rng *rand.Rand
	n   int
	bad map[string]bool
}

func (m *mixed) next(n int) (hooks []*record.Webhook) {
	for range n {
		id, key := fmt.Sprintf("evt-%d", m.n), fmt.Sprintf("key-%d", m.rng.IntN(12))
		m.n++
		switch m.rng.IntN(20) {
		case 0:
			m.bad[id] = true
			hooks = append(hooks, acme("payment.updated", id, key, `"amount": "much", "currency": "EUR"`))
		case 1, 2, 3, 4, 5, 6:
			hooks = append(hooks, acme("note.added", id, key, `"name": "Zoë"`))
		default:
			hooks = append(hooks, acme("payment.updated", id, key, `"amount": 5, "currency": "EUR"`))
		}
		if m.rng.IntN(10) == 0 { // and again
			hooks = append(hooks, hooks[len(hooks)-1])
		}
	}
	return hooks
}

// TestHeldRecordsOnceAndInOrder: whatever breaks and mends the definition, and
// whichever instance is killed in between, each event comes out once and after those
// before it of its key, whatever their types, or is a dead letter.
func TestHeldRecordsOnceAndInOrder(t *testing.T) {
	t.Parallel()
	e, dir := newEnv(t, 2), newFolder(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	m := &mixed{rand.New(rand.NewPCG(seed, 1)), 0, map[string]bool{}}
	revision := 3
	dir.write(t, revision, dir.broken())
	var cmd *exec.Cmd
	kill := func() {
		if cmd != nil {
			_ = cmd.Process.Kill() // it may be over
			_ = cmd.Wait()
		}
		cmd = nil
	}
	t.Cleanup(kill)
	for step := range 6 {
		e.send(t, m.next(60)...)
		if step%2 == 0 {
			kill()
			cmd = e.child(t, fmt.Sprint("i", m.rng.IntN(2)), dir.path)
		}
		e.send(t, m.next(60)...)
		e.drained(t)
		if m.rng.IntN(2) == 0 {
			revision++
			dir.write(t, revision, []string{dir.broken(), dir.good}[m.rng.IntN(2)])
		}
	}
	kill()
	revision++
	dir.write(t, revision, dir.good)
	cfg := e.config(t, "last")
	cfg.DefinitionsDir = dir.path
	start(t, cfg)
	e.drained(t)
	runtest.Eventually(t, "all to be released", func() bool { return e.held(t) == 0 })

	letters := map[string]bool{}
	for _, d := range e.deadLetters(t) {
		w, err := record.ParseWebhook(d.Record(""))
		if err != nil || d.Reason != reason.MappingFailed {
			t.Fatalf("dead letter %s: %s, %v", d.ID(), d.Reason, err)
		}
		letters[w.EventID] = true
	}
	for id := range m.bad {
		if !letters[id] {
			t.Errorf("%s is no dead letter", id)
		}
	}
	lost := 0
	published := e.wantInOrder(t)
	for n := range m.n {
		id := fmt.Sprintf("evt-%d", n)
		if !letters[id] && !published[id] {
			t.Errorf("%s is neither an event nor a dead letter", id)
		}
		if letters[id] && !m.bad[id] {
			lost++ // before the breaker opened
		}
	}
	t.Logf("%d events of %d, %d dead letters of bad data, %d before the breaker opened", len(published), m.n, len(m.bad), lost)
}

// child starts an instance in a process of its own.
func (e *env) child(t *testing.T, instance, dir string) *exec.Cmd {
	t.Helper()
	cfg := e.config(t, instance)
	cfg.MaxRecords, cfg.DefinitionsDir = 20, dir
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestFullStoreHoldsThePartition: nothing is lost where no more can be held, and what
// is there is released as soon as it can be.
func TestFullStoreHoldsThePartition(t *testing.T) {
	t.Parallel()
	e, dir := newEnv(t, 1), newFolder(t)
	dir.write(t, 3, dir.broken())
	cfg := e.config(t, "a")
	cfg.DefinitionsDir, cfg.HeldMaxRecords, cfg.MaxRecords = dir.path, 40, 30
	s, _ := e.startService(t, cfg)
	e.send(t, broken(0, 100)...)
	runtest.Eventually(t, "readiness to name the bound", func() bool {
		code, text := readiness(t, s)
		return code == http.StatusServiceUnavailable && strings.Contains(text, "HOOKSTREAM_HELD_MAX_RECORDS")
	})
	dir.write(t, 4, dir.good)
	e.drained(t)
	runtest.Eventually(t, "all to be released", func() bool { return e.held(t) == 0 })
	e.wantOnceInOrder(t, 100)
}

// TestBreakerOff: what an operator gives up becomes dead letters, what is held too.
func TestBreakerOff(t *testing.T) {
	t.Parallel()
	e, dir := newEnv(t, 1), newFolder(t)
	dir.write(t, 3, dir.broken())
	cfg := e.config(t, "a")
	cfg.DefinitionsDir = dir.path
	_, run := e.startService(t, cfg)
	e.send(t, slices.Concat(broken(0, 50), sound(0, 10))...)
	e.drained(t)
	run.Stop()
	cfg.DeadLetter = []string{"acme/payment.updated"}
	var s *transform.Service
	s, _ = e.startService(t, cfg)
	e.send(t, broken(50, 100)...)
	e.drained(t)
	runtest.Eventually(t, "all to be given up", func() bool { return e.held(t) == 0 })
	if n := len(e.deadLetters(t)); n != 100 {
		t.Errorf("%d dead letters, want 100", n)
	}
	if code := readyz(t, s); code != http.StatusOK {
		t.Errorf("readiness answers %d", code)
	}
	e.wantOnceInOrder(t, 10)
}
