// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dev/internal/stack"
	"github.com/hookstream/hookstream/dev/internal/traces"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/stage/kafka"
)

// told is what hookstream trace says of the webhook.
type told struct {
	Status     string
	Deliveries []struct {
		CorrelationID string `json:"correlation_id"`
		TraceID       string `json:"trace_id"`
		Hops          []struct {
			Kind    string
			At      *time.Time
			TraceID string `json:"trace_id"`
			Reason  string
			By      string
			Outcome string
			// TransactionID is transform's, Attempt the sink's.
			TransactionID string `json:"transaction_id"`
			Attempt       int
		}
	}
	replayTrace, transaction string
}

// timeline reads what is printed, for a person and for a script.
func timeline(t *testing.T, hookstream *tool, l letter) told {
	t.Helper()
	hookstream.read(t, 0, []string{"trace", storyEvent}, storyEvent+"  applied", "stripe payment_intent.succeeded",
		"verified by hmac", "correlation "+storyCorrelation, "/trace/"+l.TraceID, "mapping_failed, 1 attempt", l.ID,
		"by mira: a word is no amount", `-      "amount": "a lot",`, `+      "amount": 4200,`, "replay 1, edited", "new trace",
		"payment "+storyEntity+", by revision", "applied to payment "+storyEntity)
	var report struct{ Events []told }
	decode(t, hookstream.run(t, 0, "trace", storyCorrelation, "-o", "json"), &report)
	if len(report.Events) != 1 || report.Events[0].Status != "applied" || len(report.Events[0].Deliveries) != 1 {
		t.Fatalf("%+v", report)
	}
	story := report.Events[0]
	delivery := story.Deliveries[0]
	if delivery.CorrelationID != storyCorrelation || delivery.TraceID != l.TraceID {
		t.Errorf("%+v", delivery)
	}
	var kinds []string
	var last time.Time
	for _, hop := range delivery.Hops {
		kinds = append(kinds, hop.Kind)
		if hop.At != nil {
			if hop.At.Before(last) {
				t.Errorf("%s was at %v, before %v", hop.Kind, hop.At, last)
			}
			last = *hop.At
		}
		if hop.TraceID != "" {
			story.replayTrace = hop.TraceID
		}
		switch hop.Kind {
		case "event":
			story.transaction = hop.TransactionID
		case "row":
			if hop.Attempt != 1 {
				t.Errorf("the row is of attempt %d", hop.Attempt)
			}
		}
	}
	if want := []string{"request", "raw", "dead-letter", "resolution", "raw", "event", "row"}; !slices.Equal(kinds, want) {
		t.Errorf("the way is %v, want %v", kinds, want)
	}
	if story.replayTrace == "" || story.replayTrace == l.TraceID {
		t.Fatalf("the replay's trace is %q, the first %q", story.replayTrace, l.TraceID)
	}
	if story.transaction == "" {
		t.Fatal("the transaction is not known")
	}
	return story
}

// records looks at everything that was written about the webhook: each record
// has one traceparent, of the trace that it is expected in, the ids of the event, and
// where transform wrote it, of one transaction.
func records(t *testing.T, s *stack.Stack, transaction string, want map[string][]string) {
	t.Helper()
	got := map[string][]string{}
	parts := kafka.Partitions{}
	for topic := range want {
		parts[topic] = nil
	}
	err := s.Kafka.ReadToEnd(t.Context(), "test", slog.New(slog.DiscardHandler), parts, func(r *kgo.Record) error {
		has := map[string][]string{}
		for _, h := range r.Headers {
			has[h.Key] = append(has[h.Key], string(h.Value))
		}
		for name, value := range map[string]string{header.CorrelationID: storyCorrelation, header.ID: storyEvent, header.Tenant: "default", header.Provider: "stripe"} {
			if !slices.Equal(has[name], []string{value}) {
				t.Errorf("%s has the %s %q", r.Topic, name, has[name])
			}
		}
		if by := has[header.TransactionID]; r.Topic != s.Kafka.Topics.Raw && (len(by) != 1 || by[0] == "") {
			t.Errorf("%s has the transactions %q", r.Topic, by)
		}
		if r.Topic == s.Kafka.Topics.Events("payment") && !slices.Equal(has[header.TransactionID], []string{transaction}) {
			t.Errorf("the event is of the transactions %q, want %q", has[header.TransactionID], transaction)
		}
		parents := has[header.TraceParent]
		if len(parents) != 1 {
			t.Errorf("%s has the traceparents %q", r.Topic, parents)
			return nil
		}
		got[r.Topic] = append(got[r.Topic], strings.Split(parents[0], "-")[1])
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("records are of the traces %v, want %v", got, want)
	}
}

// ledger looks whether the sink wrote down the ids.
func ledger(t *testing.T, s *stack.Stack, trace, transaction string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var got [4]string
	var attempt int
	err = conn.QueryRow(t.Context(), "SELECT tenant, correlation_id, trace_id, transaction_id, attempt FROM hookstream.events WHERE event_id = $1", storyEvent).
		Scan(&got[0], &got[1], &got[2], &got[3], &attempt)
	if want := [4]string{"default", storyCorrelation, trace, transaction}; err != nil || got != want || attempt != 1 {
		t.Errorf("the ledger has %q and attempt %d, want %q and 1: %v", got, attempt, want, err)
	}
}

// opened follows the links that --open prints.
func opened(t *testing.T, hookstream *tool, page *traces.Server, ids ...string) {
	t.Helper()
	var want strings.Builder
	for _, id := range ids {
		fmt.Fprintln(&want, page.TraceURL(id))
	}
	links := hookstream.run(t, 0, "trace", storyEvent, "--open").out
	if links != want.String() {
		t.Fatalf("--open prints %q, want %q", links, want.String())
	}
	for link := range strings.Lines(links) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSpace(link), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", link, res.StatusCode)
		}
	}
}
