// SPDX-License-Identifier: Apache-2.0

// Package journeys holds hookstream trace to what an installation really did: the
// built program, a real Postgres, and journeys of every kind.
package journeys

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/check"
	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

// each is how many journeys of a kind are looked at.
const each = 20

// mix has enough of each kind.
var mix = workload.Mix{Duplicates: 20, Poison: 40, Conflicts: 8, Reorder: 40}

// installation is a stack and the operator's programs.
type installation struct {
	testing.TB
	*stack.Stack
	plan *workload.Plan
	bin  string
	env  []string
}

func start(t *testing.T, n int) *installation {
	t.Helper()
	opts := stack.Options{
		Address: "127.0.0.1:0", RegistryAddress: "127.0.0.1:0", Unsafe: true, Log: slog.New(slog.DiscardHandler), Secrets: workload.SecretList(),
	}
	if b := kafkatest.Shared(t); b != nil {
		opts.Brokers, opts.Prefix = b.Addresses, b.Prefix
	}
	s, err := stack.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	now := time.Now()
	names := s.Kafka.Topics
	x := &installation{TB: t, Stack: s, bin: t.TempDir(), plan: workload.NewPlan(7, n, workload.Run(now), now, mix), env: append(os.Environ(),
		"HOOKSTREAM_BROKERS="+strings.Join(s.Kafka.Brokers, ","), "HOOKSTREAM_DATABASE_URL="+s.Database, "HOOKSTREAM_REGISTRY_URL="+s.Registry, "HOOKSTREAM_TRANSFORM_GROUP="+s.Group, "HOOKSTREAM_SINK_GROUP="+opts.Prefix+"hookstream-sink",
		"HOOKSTREAM_TOPIC_RAW="+names.Raw, "HOOKSTREAM_TOPIC_DLQ="+names.DeadLetters, "HOOKSTREAM_TOPIC_RESOLUTIONS="+names.Resolutions,
		"HOOKSTREAM_TOPIC_SINK_REPLAY="+names.SinkReplay, "HOOKSTREAM_TOPIC_EVENTS_PREFIX="+names.EventsPrefix, "HOOKSTREAM_TOPIC_DEDUP="+names.Dedup)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", x.bin, "./cmd/hookstream", "./cmd/dlq")
	build.Dir = filepath.Join("..", "..", "..", "dlq")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	return x
}

// run runs a program and gives its standard output.
func (x *installation) run(program string, args ...string) []byte {
	x.Helper()
	return x.exits(0, program, args...)
}

// exits is run for a program that ends with another code.
func (x *installation) exits(code int, program string, args ...string) []byte {
	x.Helper()
	cmd := exec.CommandContext(x.Context(), filepath.Join(x.bin, program), args...)
	cmd.Env = x.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != code {
		x.Fatalf("%s %q: %v\n%s%s", program, args, err, out, stderr.String())
	}
	return out
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

// publishAgain copies events, as a webhook does that comes again after the window
// of the deduplication.
func (x *installation) publishAgain(n int) {
	x.Helper()
	var copies []*kgo.Record
	x.read(x.Kafka.Topics.Events("customer"), func(r *kgo.Record) {
		if len(copies) < n {
			copies = append(copies, &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers})
		}
	})
	client, err := x.Kafka.NewClient("test", slog.New(slog.DiscardHandler))
	if err != nil {
		x.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(x.Context(), copies...).FirstErr(); err != nil {
		x.Fatal(err)
	}
	x.drain()
}

func (x *installation) read(topic string, each func(*kgo.Record)) {
	x.Helper()
	err := x.Kafka.ReadToEnd(x.Context(), "test", slog.New(slog.DiscardHandler), map[string][]int32{topic: nil}, func(r *kgo.Record) error {
		each(r)
		return nil
	})
	if err != nil {
		x.Fatal(err)
	}
}

// ids are the results of a query with one column.
func (x *installation) ids(sql string, args ...any) []string {
	x.Helper()
	conn, err := pgx.Connect(x.Context(), x.Database)
	if err != nil {
		x.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(x.Context(), sql, args...)
	if err != nil {
		x.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		x.Fatal(err)
	}
	return ids
}

// letters are the dead letters that dlq list selects, as the ids of their events.
func (x *installation) letters(args ...string) []string {
	x.Helper()
	var ids []string
	decoder := json.NewDecoder(strings.NewReader(string(x.run("dlq", append([]string{"list", "--status", "all", "--limit", "0", "-o", "json"}, args...)...))))
	for decoder.More() {
		var l struct {
			EventID string `json:"event_id"`
		}
		if err := decoder.Decode(&l); err != nil {
			x.Fatal(err)
		}
		if !slices.Contains(ids, l.EventID) {
			ids = append(ids, l.EventID)
		}
	}
	return ids
}

// delivered counts the raw records of each event.
func (x *installation) delivered() map[string]int {
	x.Helper()
	n := map[string]int{}
	x.read(x.Kafka.Topics.Raw, func(r *kgo.Record) {
		if _, again := header.List(r.Headers).Get(header.ReplayID); again {
			return
		}
		if w, err := record.ParseWebhook(r); err == nil {
			n[w.EventID]++
		}
	})
	return n
}

// The part of the JSON that is held to.
type (
	report struct {
		Events  []journey `json:"events"`
		Unknown []string  `json:"unknown"`
	}
	journey struct {
		EventID    string     `json:"event_id"`
		Status     string     `json:"status"`
		Deliveries []delivery `json:"deliveries"`
	}
	delivery struct {
		Status string `json:"status"`
		Hops   []hop  `json:"hops"`
	}
	hop struct {
		Kind     string           `json:"kind"`
		At       *time.Time       `json:"at"`
		After    *float64         `json:"after_seconds"`
		Stage    string           `json:"stage"`
		Position *record.Position `json:"position"`
		Gone     bool             `json:"gone"`
		Action   string           `json:"action"`
		Remote   string           `json:"remote"`
		Scheme   string           `json:"verification"`
		Key      string           `json:"verification_key"`
		Version  *struct {
			Revision int `json:"revision"`
		} `json:"version"`
	}
)

func (x *installation) trace(id string) journey {
	x.Helper()
	var r report
	if err := json.Unmarshal(x.run("hookstream", "trace", id, "--by", "event", "-o", "json"), &r); err != nil {
		x.Fatal(err)
	}
	if len(r.Events) != 1 || r.Events[0].EventID != id || len(r.Unknown) > 0 {
		x.Fatalf("%s: %+v", id, r)
	}
	return r.Events[0]
}

// way is a delivery in short: its status and its hops.
func (d *delivery) way() string {
	words := []string{d.Status + ":"}
	for _, h := range d.Hops {
		word := h.Kind
		if h.Action != "" {
			word = h.Action
		}
		if h.Stage != "" {
			word += "(" + h.Stage + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// gap is what is missing in a journey, or "".
func (j *journey) gap(deliveries int) string {
	if len(j.Deliveries) != deliveries {
		return fmt.Sprintf("%d deliveries, %d were stored", len(j.Deliveries), deliveries)
	}
	for i := range j.Deliveries {
		for n := range j.Deliveries[i].Hops {
			if what := j.Deliveries[i].Hops[n].gap(); what != "" {
				return fmt.Sprintf("delivery %d, hop %d: %s", i+1, n+1, what)
			}
		}
	}
	return ""
}

func (h *hop) gap() string {
	switch {
	case h.Kind == "waiting", h.Kind == "unknown", h.Gone:
		return "is " + h.Kind
	case h.Kind == "request" && (h.At == nil || h.Remote == "" || h.Scheme == "" || h.Key == ""):
		return "the request lacks something"
	case h.Kind == "event" && (h.Version == nil || h.Version.Revision == 0):
		return "the definition's revision is not told"
	case slices.Contains([]string{"raw", "event", "sink-replay", "dead-letter"}, h.Kind) && h.Position == nil:
		return h.Kind + " has no position"
	case slices.Contains([]string{"event", "sink-replay", "dead-letter", "resolution", "row"}, h.Kind) && h.After == nil:
		return h.Kind + " has no time"
	}
	return ""
}

const (
	toEvent    = "request raw event"
	failed     = "request raw dead-letter(transform)"
	sinkFailed = toEvent + " dead-letter(sink)"
)

// TestJourneysOfEveryKindHaveNoGap reconstructs journeys of every kind, with the
// ledger, and compares them with what the topics and the ledger say on their own.
func TestJourneysOfEveryKindHaveNoGap(t *testing.T) {
	x := start(t, 2500)
	x.send()
	x.publishAgain(2 * each)
	x.run("dlq", "replay", "--reason", "mapping_failed", "--patch", ".data.object.amount = 4200", "--yes", "--why", "a word is no amount", "--wait")
	x.exits(3, "dlq", "replay", "--reason", "invalid_value", "--yes", "--wait") // which fails again
	x.run("dlq", "discard", "--reason", "time_out_of_bounds", "--yes", "--why", "2099")
	x.drain()
	delivered := x.delivered()
	mended, conflicts := x.letters("--reason", "mapping_failed"), x.letters("--reason", "identity_conflict")
	var once, repeated []string
	for id, n := range delivered {
		switch {
		case slices.Contains(conflicts, id):
		case n > 1:
			repeated = append(repeated, id)
		case !slices.Contains(mended, id):
			once = append(once, id)
		}
	}
	slices.Sort(once)
	outcome := func(outcome string, among []string) []string {
		return x.ids(`select event_id from hookstream.events where outcome = $1 and event_id = any($2) and replay_count = 0
			and not exists (select from hookstream.deliveries d where d.event_id = events.event_id) order by event_id`, outcome, among)
	}
	edited := x.ids(`select event_id from hookstream.events where event_id = any($1)`, mended)
	kinds := map[string]struct {
		ids  []string
		want []string
		// any is set where only one of the deliveries must be as wanted.
		any bool
	}{
		"applied":                  {ids: outcome("applied", once), want: []string{"applied: " + toEvent + " row(sink)"}},
		"stale":                    {ids: outcome("stale", once), want: []string{"stale: " + toEvent + " row(sink)"}},
		"superseded":               {ids: outcome("superseded", once), want: []string{"superseded: " + toEvent + " row(sink)"}},
		"duplicate":                {ids: slices.Concat(outcome("applied", repeated), outcome("stale", repeated)), want: []string{"duplicate: request raw duplicate(transform)"}, any: true},
		"repeat in the ledger":     {ids: x.ids("select distinct event_id from hookstream.deliveries order by event_id"), want: []string{toEvent + " row(sink) event duplicate(sink)"}, any: true},
		"conflict":                 {ids: conflicts, want: []string{"conflict: " + failed}, any: true},
		"open in transform":        {ids: x.letters("--reason", "malformed_body"), want: []string{"dead-lettered: " + failed}},
		"discarded":                {ids: x.letters("--reason", "time_out_of_bounds"), want: []string{"discarded: " + failed + " discarded"}},
		"edited and replayed":      {ids: edited, want: []string{"applied: " + failed + " replayed raw event row(sink)"}},
		"failed again in the sink": {ids: x.letters("--reason", "invalid_value"), want: []string{"dead-lettered: " + sinkFailed + " replayed sink-replay dead-letter(sink)"}},
	}
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			x := *x
			x.TB = t
			if len(kind.ids) < each {
				t.Fatalf("there are %d, which is too few", len(kind.ids))
			}
			for _, id := range kind.ids[:each] {
				j := x.trace(id)
				if what := j.gap(delivered[id]); what != "" {
					t.Errorf("%s has a gap: %s: %+v", id, what, j)
				}
				if !j.has(kind.want, kind.any) {
					t.Errorf("%s: want %q, got %+v", id, kind.want, j.ways())
				}
			}
		})
	}
}

// TestJourneyThatOnlyTheLedgerHas deletes what the topics keep, as their retention
// does in the end.
func TestJourneyThatOnlyTheLedgerHas(t *testing.T) {
	x := start(t, 200)
	x.send()
	id := x.ids(`select event_id from hookstream.events where outcome = 'applied' and entity = 'payment' order by event_id limit 1`)[0]
	correlation := x.ids(`select correlation_id from hookstream.events where event_id = $1`, id)[0]
	for _, topic := range []string{x.Kafka.Topics.Raw, x.Kafka.Topics.Events("payment")} {
		ends, err := x.Admin().ListEndOffsets(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Admin().DeleteRecords(t.Context(), ends.Offsets()); err != nil {
			t.Fatal(err)
		}
	}
	for _, by := range []string{id, correlation} {
		var r report
		if err := json.Unmarshal(x.run("hookstream", "trace", by, "-o", "json"), &r); err != nil || len(r.Events) != 1 {
			t.Fatalf("%s: %+v, %v", by, r, err)
		}
		j := r.Events[0]
		if want := "applied: request raw event row(sink)"; j.EventID != id || fmt.Sprint(j.ways()) != "["+want+"]" {
			t.Fatalf("want %q, got %q", want, j.ways())
		}
		if h := j.Deliveries[0].Hops; !h[1].Gone || !h[2].Gone || h[2].Version == nil || h[0].At == nil || h[3].After == nil {
			t.Errorf("got %+v", h)
		}
	}
}

func (j *journey) ways() []string {
	var ways []string
	for i := range j.Deliveries {
		ways = append(ways, j.Deliveries[i].way())
	}
	return ways
}

// has reports whether the deliveries, or one of them, have every one of the parts.
func (j *journey) has(parts []string, one bool) bool {
	found := 0
	for _, way := range j.ways() {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(way, p) }) {
			found++
		}
	}
	return found == len(j.Deliveries) || one && found > 0
}
