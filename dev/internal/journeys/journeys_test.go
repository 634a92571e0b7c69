// SPDX-License-Identifier: Apache-2.0

package journeys

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/stacktest"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// each is how many journeys of a kind are looked at.
const each = 20

// mix has enough of each kind.
var mix = workload.Mix{Duplicates: 20, Poison: 40, Conflicts: 8, Reorder: 40}

// installation is a stack, its webhooks, and the operator's tools.
type installation struct {
	testing.TB
	*stack.Stack
	plan  *workload.Plan
	tools *Installation
}

func start(t *testing.T, n int) *installation {
	t.Helper()
	opts := stack.Options{
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Unsafe: true, Log: slog.New(slog.DiscardHandler), Secrets: workload.SecretList(),
	}
	if b := kafkatest.Shared(t); b != nil {
		opts.Brokers, opts.Prefix = b.Addresses, b.Prefix
	}
	s := stacktest.Start(t, opts)
	now := time.Now()
	names := s.Kafka.Topics
	x := &installation{TB: t, Stack: s, plan: workload.NewPlan(7, n, workload.Run(now), now, mix)}
	x.tools = &Installation{Kafka: s.Kafka, DatabaseURL: s.Database, Log: slog.New(slog.DiscardHandler), Programs: t.TempDir(), Env: append(os.Environ(),
		"HOOKSTREAM_BROKERS="+strings.Join(s.Kafka.Brokers, ","), "HOOKSTREAM_DATABASE_URL="+s.Database, "HOOKSTREAM_REGISTRY_URL="+s.Registry, "HOOKSTREAM_TRANSFORM_GROUP="+s.Group, "HOOKSTREAM_SINK_GROUP="+opts.Prefix+"hookstream-sink",
		"HOOKSTREAM_TOPIC_RAW="+names.Raw, "HOOKSTREAM_TOPIC_DLQ="+names.DeadLetters, "HOOKSTREAM_TOPIC_RESOLUTIONS="+names.Resolutions,
		"HOOKSTREAM_TOPIC_SINK_REPLAY="+names.SinkReplay, "HOOKSTREAM_TOPIC_EVENTS_PREFIX="+names.EventsPrefix, "HOOKSTREAM_TOPIC_DEDUP="+names.Dedup)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", x.tools.Programs, "./cmd/hookstream", "./cmd/dlq")
	build.Dir = filepath.Join("..", "..", "..", "dlq")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	return x
}

// run runs a program, which must end with the exit code.
func (x *installation) run(want int, program string, args ...string) {
	x.Helper()
	out, code, err := x.tools.Run(x.Context(), program, args...)
	if err != nil {
		x.Fatal(err)
	}
	if code != want {
		x.Fatalf("%s %q: exit code %d, want %d\n%s", program, args, code, want, out)
	}
}

// send sends the plan, and waits until everything has come to rest.
func (x *installation) send() {
	x.Helper()
	sender := workload.Sender{URLs: []string{"http://" + x.Address()}, Connections: 8, Retries: 5}
	for _, phase := range x.plan.Phases {
		if err := sender.Phase(x.Context(), phase, func(workload.Outcome) {}); err != nil {
			x.Fatal(err)
		}
	}
	x.drain()
}

func (x *installation) drain() {
	x.Helper()
	ctx, cancel := context.WithTimeout(x.Context(), 2*time.Minute)
	defer cancel()
	target := &check.Target{Kafka: x.Kafka, RegistryURL: x.Registry, DatabaseURL: x.Database, Schema: x.TablesSchema, Log: slog.New(slog.DiscardHandler)}
	if err := target.WaitDrained(ctx, x.plan, x.Group, nil); err != nil {
		x.Fatal(err)
	}
}

// TestJourneysOfEveryKindHaveNoGap reconstructs journeys of every kind, with the
// ledger, and compares them with what the topics and the ledger say on their own.
func TestJourneysOfEveryKindHaveNoGap(t *testing.T) {
	x := start(t, 2500)
	x.send()
	if err := x.tools.PublishAgain(t.Context(), x.Kafka.Topics.Events("customer"), 2*each); err != nil {
		t.Fatal(err)
	}
	x.run(0, "dlq", "replay", "--reason", "mapping_failed", "--patch", ".data.object.amount = 4200", "--yes", "--why", "a word is no amount", "--wait")
	x.run(3, "dlq", "replay", "--reason", "invalid_value", "--limit", strconv.Itoa(2*each), "--yes", "--wait") // which fails again
	x.run(0, "dlq", "discard", "--reason", "time_out_of_bounds", "--yes", "--why", "2099")
	x.drain()
	kinds, err := x.tools.Survey(t.Context(), each)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds {
		if k.Traced < each {
			t.Errorf("%s: there are %d, which is too few", k.Name, k.Known)
		}
		for _, gap := range k.Gaps {
			t.Errorf("%s: %s", k.Name, gap)
		}
	}
}

// TestJourneyThatOnlyTheLedgerHas deletes what the topics keep, as their retention
// does in the end.
func TestJourneyThatOnlyTheLedgerHas(t *testing.T) {
	x := start(t, 200)
	x.send()
	ids, err := x.tools.query(t.Context(), `select unnest(array[event_id, correlation_id]) from hookstream.events
		where event_id = (select min(event_id) from hookstream.events where outcome = 'applied' and entity = 'payment')`)
	if err != nil || len(ids) != 2 {
		t.Fatalf("%q, %v", ids, err)
	}
	id, correlation := ids[0], ids[1]
	for _, topic := range []string{x.Kafka.Topics.Raw, x.Kafka.Topics.Events("payment")} {
		ends, err := x.Admin().ListEndOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Admin().DeleteRecords(t.Context(), ends.Offsets()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{id, correlation} {
		j, err := x.tools.Trace(t.Context(), "any", name)
		if err != nil {
			t.Fatal(err)
		}
		if want := "applied: request raw event row(sink)"; j.EventID != id || fmt.Sprint(j.Ways()) != "["+want+"]" {
			t.Fatalf("want %q, got %q", want, j.Ways())
		}
		if h := j.Deliveries[0].Hops; !h[1].Gone || !h[2].Gone || h[2].Version == nil || h[0].At == nil || h[3].After == nil {
			t.Errorf("got %+v", h)
		}
	}
}
