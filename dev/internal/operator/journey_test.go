// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/dev/internal/workload"
	"github.com/hookstream/hookstream/stage/runtest"
)

// The webhook that is followed: a payment whose amount is a word.
const (
	storyEvent       = "evt_followed"
	storyEntity      = "pi_followed"
	storyCorrelation = "ticket-4711"
	storySecret      = "nobody-logs-a-payload"
)

// TestOneWebhookFromFailureToRow follows one webhook that fails, is mended and
// replayed, and becomes a row: in the spans that were exported, in the ids that
// everything about it carries, and in what hookstream trace prints.
func TestOneWebhookFromFailureToRow(t *testing.T) {
	page := receiver(t)
	lines := &logbook{}
	s := start(t, "", func(o *stack.Options) { o.Log = lines.logger() })
	dlq := &tool{build(t, ""), environment(&s.Kafka, "HOOKSTREAM_DATABASE_URL="+s.Database)}
	hookstream := &tool{buildHookstream(t), environment(&s.Kafka, "HOOKSTREAM_DATABASE_URL="+s.Database,
		"HOOKSTREAM_REGISTRY_URL="+s.Registry, "HOOKSTREAM_TRANSFORM_GROUP="+s.Group, "HOOKSTREAM_TRACE_URL="+page.TraceURL("{trace_id}"))}
	n := s.Kafka.Topics

	// It is accepted, and fails.
	accepted(t, s)
	runtest.Eventually(t, "the dead letter", func() bool { return dlq.start(t, "list", "--event-id", storyEvent, "-o", "json").out != "" })
	letter := theLetter(t, dlq)
	hookstream.read(t, 0, []string{"trace", storyEvent}, "dead-lettered", "mapping_failed", letter.ID, "Next: dlq show "+letter.ID)
	failed := followed(t, page, letter.TraceID,
		step{"ingest", "server", "POST /webhooks/{provider}", ""},
		step{"ingest", "producer", "send " + n.Raw, ""},
		step{"transform", "consumer", "process " + n.Raw, "mapping_failed"},
		step{"transform", "producer", "send " + n.DeadLetters, ""})
	linkedToItsBatch(t, page, failed[2])

	// It is mended, replayed, and becomes a row: in another trace, linked to the
	// first. Its root is the operator's tool, which exports nothing.
	dlq.run(t, 0, "replay", letter.ID, "--patch", ".data.object.amount = 4200", "--by", "mira", "--why", "a word is no amount", "--yes", "--wait")
	row(t, s)
	told := timeline(t, hookstream, letter)
	done := followed(t, page, told.replayTrace,
		step{"transform", "consumer", "process " + n.Raw, ""},
		step{"transform", "producer", "send " + n.Events("payment"), ""},
		step{"sink", "consumer", "process " + n.Events("payment"), ""})
	if !slices.ContainsFunc(done[0].Links, func(l traces.Link) bool { return l.TraceID == letter.TraceID }) {
		t.Errorf("the replay has no link to the first trace: %v", done[0].Links)
	}
	linkedToItsBatch(t, page, done[0])
	linkedToItsBatch(t, page, done[2])

	records(t, s, told.transaction, map[string][]string{n.Raw: {letter.TraceID, told.replayTrace}, n.DeadLetters: {letter.TraceID}, n.Events("payment"): {told.replayTrace}})
	ledger(t, s, told.replayTrace, told.transaction)
	exemplars(t, s, map[string][]string{
		"request to ack": {letter.TraceID}, "ack to event": {letter.TraceID, told.replayTrace},
		"event to row": {told.replayTrace}, "request to row": {told.replayTrace},
	})
	opened(t, hookstream, page, letter.TraceID, told.replayTrace)
	lines.judge(t)
	for _, trace := range page.Traces() {
		if text := fmt.Sprint(trace.Waterfall()); strings.Contains(text, storySecret) {
			t.Errorf("a span holds what is in the payload: %s", text)
		}
	}
}

// receiver takes the traces of this process, of which nothing is left out.
func receiver(t *testing.T) *traces.Server {
	t.Helper()
	page, err := traces.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := page.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", page.Endpoint())
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	return page
}

// buildHookstream compiles the hookstream command.
func buildHookstream(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hookstream")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/hookstream")
	cmd.Dir = "../../../dlq"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build hookstream: %v\n%s", err, out)
	}
	return program
}

// accepted sends the webhook, and its answer names it.
func accepted(t *testing.T, s *stack.Stack) {
	t.Helper()
	now := time.Now()
	event := &workload.Event{
		Provider: "stripe", ID: storyEvent, Type: "payment_intent.succeeded",
		Header: http.Header{"X-Correlation-Id": {storyCorrelation}},
		Body: fmt.Appendf(nil, `{"id":%q,"object":"event","created":%d,"livemode":false,"type":"payment_intent.succeeded",`+
			`"data":{"object":{"id":%q,"object":"payment_intent","status":"succeeded","amount":"a lot","currency":"eur","description":%q}}}`,
			storyEvent, now.Unix(), storyEntity, storySecret),
	}
	req, err := event.Request(t.Context(), "http://"+s.Address(), now)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ EventID, CorrelationID string }
	if err := json.Unmarshal(body, &answer); err != nil || res.StatusCode != http.StatusAccepted ||
		answer.EventID != storyEvent || answer.CorrelationID != storyCorrelation || res.Header.Get("X-Correlation-Id") != storyCorrelation {
		t.Fatalf("%d %s: %v", res.StatusCode, body, err)
	}
}

type letter struct {
	ID      string `json:"id"`
	Reason  string `json:"reason"`
	TraceID string `json:"trace_id"`
}

// theLetter is the only dead letter of the webhook.
func theLetter(t *testing.T, dlq *tool) letter {
	t.Helper()
	var l letter
	decode(t, dlq.run(t, 0, "list", "--event-id", storyEvent, "-o", "json"), &l)
	if l.Reason != "mapping_failed" || l.TraceID == "" {
		t.Fatalf("%+v", l)
	}
	return l
}

// row waits for the row that the mended webhook made.
func row(t *testing.T, s *stack.Stack) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	runtest.Eventually(t, "the row", func() bool {
		var amount int64
		err := conn.QueryRow(t.Context(), "SELECT amount FROM "+pgx.Identifier{s.TablesSchema, "payment"}.Sanitize()+" WHERE id = $1", storyEntity).Scan(&amount)
		return err == nil && amount == 4200
	})
}
