// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/telemetry"
)

// The mapping of a customer's e-mail address: as it is shipped, as somebody
// thought to improve it, and mended. Stripe has customers without an address.
const (
	shipped = "      email: .data.object.email\n"
	broken  = "      email: .data.object.email | ascii_downcase\n"
	mended  = "      email: .data.object.email | if . then ascii_downcase end\n"
)

// TestFromABrokenMappingToDone is what an operator does at three in the morning.
// A quarter of the new customers have no e-mail address, so a quarter of one
// event type fails: too little for transform's breaker, which holds records
// where most of a type fails, and so a matter of dead letters.
func TestFromABrokenMappingToDone(t *testing.T) {
	definitions, candidate := t.TempDir(), t.TempDir()
	define(t, definitions, 2, broken)
	s := start(t, definitions)
	dlq := &tool{build(t, ""), environment(&s.Kafka, "HOOKSTREAM_DATABASE_URL="+s.Database)}
	day := newDay(t)
	day.send(t, s)

	// Everything else went through.
	seen := day.judge(t, s)
	if seen.Events != seen.Unique-day.affected {
		t.Fatalf("%d of %d events are published, want all but %d: %v", seen.Events, seen.Unique, day.affected, seen.Problems)
	}

	// What failed, and is it one thing?
	kind := theKind(t, dlq, day)
	find := []string{"--fingerprint", kind.Fingerprint}
	dlq.read(t, 0, []string{"stats"}, kind.Fingerprint, "mapping_failed", "field email")
	dlq.read(t, 0, append([]string{"list", "-o", "table"}, find...), kind.Example)
	dlq.read(t, 0, []string{"show", kind.Example}, "What to do", "field email")

	// Would the definition that we have in mind mend it? The one in force would not.
	simulates(t, dlq, find, definitions, 0, day.letters)
	define(t, candidate, 3, mended)
	simulates(t, dlq, find, candidate, day.letters, 0)

	define(t, definitions, 3, mended)
	deployed(t)
	dlq.read(t, 0, append([]string{"replay", "--dry-run"}, find...), fmt.Sprintf("%d to %s", day.letters, s.Kafka.Topics.Raw))
	replay := append([]string{"replay", "--yes", "--wait", "--by", "mira", "--why", "an address may be null", "-o", "json"}, find...)
	id := replays(t, dlq, replay, day.letters, day.affected)

	seen = day.judge(t, s)
	if seen.Events != seen.Unique || seen.Lost+seen.Duplicated+seen.Reordered+seen.WrongRows != 0 || seen.Unexpected != day.letters {
		t.Errorf("after the replay: %+v", seen)
	}
	tells(t, dlq, id, kind.Example, day.letters)

	// The same command once more finds nothing left to do.
	dlq.run(t, 3, replay...)
	if again := day.judge(t, s); again.Duplicated != 0 || again.Events != seen.Events {
		t.Errorf("after a second replay: %+v", again)
	}
}

// define writes Stripe's definition into a folder with one line of it replaced,
// at once, as a mounted ConfigMap changes.
func define(t *testing.T, dir string, revision int, line string) {
	t.Helper()
	text, err := os.ReadFile("../../../schemas/provider/definitions/stripe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for old, replacement := range map[string]string{shipped: line, "\nrevision: 1\n": fmt.Sprintf("\nrevision: %d\n", revision)} {
		if bytes.Count(text, []byte(old)) != 1 {
			t.Fatalf("stripe.yaml must have %q once", old)
		}
		text = bytes.Replace(text, []byte(old), []byte(replacement), 1)
	}
	next := filepath.Join(dir, "next")
	if err := os.WriteFile(next, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "stripe.yaml")); err != nil {
		t.Fatal(err)
	}
}

// start brings up an installation with metrics, on the Kafka of the environment
// or an embedded one.
func start(t *testing.T, definitions string, more ...func(*stack.Options)) *stack.Stack {
	t.Helper()
	flush, err := telemetry.Start(t.Context(), "test", "v0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flush(context.Background()) })
	opts := stack.Options{
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Unsafe: true, Log: slog.New(slog.DiscardHandler),
		Secrets: workload.SecretList(), DefinitionsDir: definitions,
	}
	if b := kafkatest.Shared(t); b != nil {
		opts.Brokers, opts.Prefix = b.Addresses, b.Prefix
	}
	for _, change := range more {
		change(&opts)
	}
	return stacktest.Start(t, opts)
}

// deployed waits until transform works with the changed definitions.
func deployed(t *testing.T) {
	t.Helper()
	runtest.Eventually(t, "the mended definition in force", func() bool {
		families, err := prometheus.DefaultGatherer.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, series := range f.GetMetric() {
				if s := series.String(); f.GetName() == "hookstream_reloads_total" && strings.Contains(s, `"definitions"`) && strings.Contains(s, `"applied"`) {
					return true
				}
			}
		}
		return false
	})
}

// day is a day's traffic: good webhooks, their duplicates, poison, and new
// customers without an e-mail address.
type day struct {
	plan *workload.Plan
	// affected events fail in the broken mapping; letters are their deliveries,
	// each a dead letter.
	affected, letters int

	mu       sync.Mutex
	outcomes []workload.Outcome
}

func newDay(t *testing.T) *day {
	t.Helper()
	mix := workload.DefaultMix
	mix.Conflicts = 0 // it is the broken mapping that decides which of two is first
	now := time.Now()
	d := &day{plan: workload.NewPlan(7, 1000, workload.Run(now), now, mix)}
	// Poison that the broken mapping would find before its own fault is not sent:
	// mended, it would fail again for that one.
	d.plan.Phases[0] = slices.DeleteFunc(d.plan.Phases[0], func(e *workload.Event) bool {
		return e.Fate != workload.Applied && e.Type == "customer.created"
	})
	without := map[*workload.Event]bool{}
	created := 0
	for _, e := range d.plan.Phases[0] {
		if e.Type != "customer.created" {
			continue
		}
		if _, known := without[e]; !known {
			without[e] = created%4 == 0
			created++
			if without[e] {
				d.affected++
				withoutAddress(t, e)
			}
		}
		if without[e] {
			d.letters++
		}
	}
	return d
}

// withoutAddress takes a customer's e-mail address away.
func withoutAddress(t *testing.T, e *workload.Event) {
	t.Helper()
	address := fmt.Appendf(nil, `"email":%q`, e.Want.Columns["email"])
	if bytes.Count(e.Body, address) != 1 {
		t.Fatalf("no %s in %s", address, e.Body)
	}
	e.Body = bytes.Replace(e.Body, address, []byte(`"email":null`), 1)
	e.Want.Columns["email"] = ""
}

func (d *day) send(t *testing.T, s *stack.Stack) {
	t.Helper()
	sender := workload.Sender{URLs: []string{"http://" + s.Address()}, Connections: 16, Retries: 5}
	for _, phase := range d.plan.Phases {
		err := sender.Phase(t.Context(), phase, func(o workload.Outcome) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.outcomes = append(d.outcomes, o)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// judge waits until everything is through and compares it with what was sent.
func (d *day) judge(t *testing.T, s *stack.Stack) *check.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runtest.Patience)
	defer cancel()
	target := &check.Target{Kafka: s.Kafka, RegistryURL: s.Registry, DatabaseURL: s.Database, Schema: s.TablesSchema, Log: slog.New(slog.DiscardHandler)}
	if err := target.WaitDrained(ctx, d.plan, s.Group, nil); err != nil {
		t.Fatal(err)
	}
	seen, err := target.Collect(ctx, d.plan)
	if err != nil {
		t.Fatal(err)
	}
	return check.Judge(d.plan, d.outcomes, seen)
}

// kind is one kind of failure in dlq stats.
type kind struct {
	Fingerprint string `json:"fingerprint"`
	Provider    string `json:"provider"`
	EventType   string `json:"event_type"`
	Reason      string `json:"reason"`
	Open        int    `json:"open"`
	Replayed    int    `json:"replayed"`
	Example     string `json:"example"`
}

// theKind is what most mapping failures are: every affected delivery. A poisoned
// webhook, of which there are always some, is another kind.
func theKind(t *testing.T, dlq *tool, d *day) kind {
	t.Helper()
	var stats struct{ Groups []kind }
	decode(t, dlq.run(t, 0, "stats", "--reason", "mapping_failed", "-o", "json"), &stats)
	if len(stats.Groups) == 0 {
		t.Fatal("dlq stats shows no mapping failure")
	}
	k := stats.Groups[0]
	if k.Open != d.letters || k.Provider != "stripe" || k.EventType != "customer.created" {
		t.Fatalf("%+v, want %d open", k, d.letters)
	}
	return k
}

// simulates runs the definitions of a folder over what failed.
func simulates(t *testing.T, dlq *tool, find []string, definitions string, passed, failed int) {
	t.Helper()
	code := 0
	if failed > 0 {
		code = 3
	}
	args := append([]string{"simulate", "--definitions-dir", definitions}, find...)
	dlq.read(t, code, args, fmt.Sprintf("%d of %d would pass", passed, passed+failed))
	var said struct {
		Passed, Failed int
		Example        *struct {
			Entity string
			Fields map[string]any
		}
	}
	decode(t, dlq.run(t, code, append(args, "-o", "json")...), &said)
	if said.Passed != passed || said.Failed != failed {
		t.Fatalf("%+v, want %d to pass and %d to fail", said, passed, failed)
	}
	if passed > 0 && (said.Example == nil || said.Example.Entity != "customer" || said.Example.Fields["email"] != nil) {
		t.Errorf("the example is %+v, want a customer without an address", said.Example)
	}
}

// replays carries the replay out and waits: one delivery of each event must
// succeed, and the others are duplicates. It returns the replay's ID.
func replays(t *testing.T, dlq *tool, args []string, n, events int) string {
	t.Helper()
	var done struct {
		ReplayID      string `json:"replay_id"`
		Planned, Done int
	}
	var ended struct {
		ReplayID                       string `json:"replay_id"`
		Succeeded, Duplicates, Pending int
		FailedAgain                    int `json:"failed_again"`
	}
	decode(t, dlq.run(t, 0, args...), &done, &ended)
	if done.Planned != n || done.Done != n || done.ReplayID == "" {
		t.Errorf("%+v, want %d replayed", done, n)
	}
	if ended.Succeeded != events || ended.Duplicates != n-events || ended.Pending+ended.FailedAgain != 0 || ended.ReplayID != done.ReplayID {
		t.Errorf("%+v, want %d succeeded of %d", ended, events, n)
	}
	return done.ReplayID
}

// tells looks up what was done: in the history, and at one of the dead letters.
func tells(t *testing.T, dlq *tool, replay, letter string, n int) {
	t.Helper()
	dlq.read(t, 0, []string{"history"}, fmt.Sprintf("%d replayed by mira", n), "an address may be null")
	var runs []struct {
		Action, By, Why, Example string
		ReplayID                 string `json:"replay_id"`
		Count                    int
	}
	decode(t, dlq.run(t, 0, "history", letter, "-o", "json"), &runs)
	if len(runs) != 1 || runs[0].By != "mira" || runs[0].ReplayID != replay || runs[0].Action != "replayed" || runs[0].Example != letter {
		t.Errorf("the history of %s is %+v", letter, runs)
	}
	dlq.read(t, 0, []string{"show", letter}, "mira")
	var shown struct{ Outcome struct{ State string } }
	decode(t, dlq.run(t, 0, "show", letter, "-o", "json"), &shown)
	if state := shown.Outcome.State; state != "succeeded" && state != "duplicate" { // it may be a second delivery
		t.Errorf("%s is %s", letter, state)
	}
	dlq.read(t, 0, []string{"stats"}, fmt.Sprintf("0 open, %d replayed", n))
}
