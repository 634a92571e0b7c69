// SPDX-License-Identifier: Apache-2.0

package stack_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/workload"
)

// TestReplayAfterTheMappingWasMended is an operator's story: a definition is
// wrong, its webhooks become dead letters, the definition is mended, and a
// replay brings their rows.
func TestReplayAfterTheMappingWasMended(t *testing.T) {
	dlq := buildDLQ(t)
	opts := options(t)
	opts.DataDir = publicDir(t)
	opts.DefinitionsDir = brokenStripe(t)
	broken := start(t, opts)
	r := newTrial(5, 300)
	r.send(t, broken, customers(r.plan))
	waitFor(t, func() bool { return len(openLetters(t, dlq, broken)) == len(customers(r.plan)) })
	if n := count(t, broken, "customer"); n != 0 {
		t.Fatalf("%d rows came through a broken mapping", n)
	}
	stop(t, broken)

	opts.DefinitionsDir = ""
	mended := start(t, opts)
	run(t, dlq, mended, "replay", "--all", "--yes")
	report := r.judge(t, mended)
	if report.Lost+report.Duplicated+report.Reordered+report.WrongRows != 0 || report.Events != report.Unique {
		t.Errorf("after the replay: %+v", report)
	}
	if left := openLetters(t, dlq, mended); len(left) != 0 {
		t.Errorf("still open: %v", left)
	}
	run(t, dlq, mended, "replay", "--all", "--yes") // nothing is left to replay
	if report = r.judge(t, mended); report.Duplicated != 0 {
		t.Errorf("a second replay took effect: %+v", report)
	}
}

// brokenStripe is a folder with Stripe's definition and a mistake in it.
func brokenStripe(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../../schemas/provider/definitions/stripe.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const good = "      email: .data.object.email\n"
	if !strings.Contains(string(text), good) {
		t.Fatalf("stripe.yaml has no line %q to break", good)
	}
	dir := t.TempDir()
	wrong := strings.Replace(string(text), good, "      email: .data.object.email | tonumber\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "stripe.yaml"), []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// customers are the plan's events about customers, each once.
func customers(p *workload.Plan) []*workload.Event {
	var out []*workload.Event
	seen := map[string]bool{}
	for _, e := range p.Phases[0] {
		if e.Fate == workload.Applied && e.Want.Entity == "customer" && !seen[e.Serial] {
			seen[e.Serial] = true
			out = append(out, e)
		}
	}
	return out
}

func buildDLQ(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "dlq")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/dlq")
	cmd.Dir = "../../../dlq"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build dlq: %v\n%s", err, out)
	}
	return program
}

// run runs the operators' tool. Exit code 3 only says that something was left.
func run(t *testing.T, dlq string, s *stack.Stack, args ...string) string {
	t.Helper()
	n := s.Kafka.Topics
	args = append(args, "--brokers", strings.Join(s.Kafka.Brokers, ","), "--topic-raw", n.Raw,
		"--topic-dead-letters", n.DeadLetters, "--topic-resolutions", n.Resolutions, "--topic-sink-replay", n.SinkReplay)
	cmd := exec.CommandContext(t.Context(), dlq, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState.ExitCode() != 3 {
		t.Fatalf("dlq %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

func openLetters(t *testing.T, dlq string, s *stack.Stack) []string {
	t.Helper()
	var ids []string
	for line := range strings.Lines(run(t, dlq, s, "list", "--reason", "mapping_failed")) {
		if id, _, ok := strings.Cut(line, "\t"); ok && strings.Contains(id, ":") {
			ids = append(ids, id)
		}
	}
	return ids
}

func count(t *testing.T, s *stack.Stack, entity string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+pgx.Identifier{s.TablesSchema, entity}.Sanitize()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("waited a minute in vain")
		}
	}
}
