// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

const partitions = 3

// world is a broker with an installation's topics on it.
type world struct {
	testing.TB
	broker *kafkatest.Broker
	cfg    kafka.Config
	client *kgo.Client
}

func newWorld(t testing.TB) *world {
	t.Helper()
	b := kafkatest.New(t)
	w := &world{TB: t, broker: b, cfg: kafka.Config{
		Brokers: b.Addresses, Topics: b.Topics(), Partitions: partitions, Replication: -1,
		MaxMessageBytes: 128 << 10, Retention: time.Hour, DedupWindow: time.Hour,
	}}
	var err error
	if w.client, err = w.cfg.NewClient("test", slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if err := w.cfg.EnsureTopics(t.Context(), w.client, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return w
}

// letter is the dead letter of the n-th webhook, which transform gave up.
func (w *world) letter(n int) *record.DeadLetter {
	hook := record.Webhook{
		Tenant: "default", Provider: "stripe",
		EventID: fmt.Sprintf("evt_%d", n), IdentitySource: identity.ProviderID,
		EventType: "charge.failed", BusinessKey: fmt.Sprintf("pi_%d", n%7),
		OccurredAt: day.Add(time.Duration(n) * time.Second), ReceivedAt: day.Add(time.Duration(n+1) * time.Second),
		CorrelationID: fmt.Sprintf("corr-%d", n), ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"id":"evt_%d","amount":%d,"data":{"object":{"id":"ch_%d"}}}`, n, n, n),
	}
	r := hook.Record(w.cfg.Topics.Raw)
	h := header.List(r.Headers)
	h.Add(header.TraceParent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	return &record.DeadLetter{
		Stage: record.StageTransform, Failed: record.Position{Topic: w.cfg.Topics.Raw, Partition: 1, Offset: int64(n)},
		Class: "permanent", Reason: reason.MappingFailed, Exception: "*mapping.Error",
		Message: "stripe revision 1: charge.failed: field amount: \".amount\": gives a string, want an integer", Attempts: 1,
		FirstFailedAt: day.Add(time.Duration(n) * time.Minute), LastFailedAt: day.Add(time.Duration(n) * time.Minute), ServiceVersion: "v1",
		Key: r.Key, Value: r.Value, Headers: h,
	}
}

var day = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// event is the dead letter of an event that the sink gave up.
func (w *world) event(n int) *record.DeadLetter {
	d := w.letter(n)
	d.Stage, d.Reason = record.StageSink, reason.ConstraintViolation
	d.Failed = record.Position{Topic: w.cfg.Topics.Events("payment"), Partition: 0, Offset: int64(n)}
	d.Message = "payment: amount_positive is violated"
	d.Headers.Set(header.ContentType, record.AvroContentType)
	d.Value = []byte{0, 0, 0, 1, 2, 0xff, 0xfe, 3}
	return d
}

// write puts dead letters on the topic, in one partition if it is not negative.
func (w *world) write(letters ...*record.DeadLetter) {
	w.Helper()
	for _, d := range letters {
		w.produce(d.Record(w.cfg.Topics.DeadLetters))
	}
}

func (w *world) many(n int) []string {
	w.Helper()
	var ids []string
	var records []*kgo.Record
	for i := range n {
		d := w.letter(i)
		ids = append(ids, d.ID())
		records = append(records, d.Record(w.cfg.Topics.DeadLetters))
	}
	w.produce(records...)
	return ids
}

func (w *world) produce(records ...*kgo.Record) {
	w.Helper()
	if err := w.client.ProduceSync(w.Context(), records...).FirstErr(); err != nil {
		w.Fatal(err)
	}
}

// read returns every committed record of a topic.
func (w *world) read(topic string) []*kgo.Record {
	w.Helper()
	var all []*kgo.Record
	err := w.cfg.ReadToEnd(w.Context(), "test", slog.New(slog.DiscardHandler), kafka.Partitions{topic: nil}, func(r *kgo.Record) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// eventIDs counts the records of a topic by their event id.
func (w *world) eventIDs(topic string) map[string]int {
	w.Helper()
	ids := map[string]int{}
	for _, r := range w.read(topic) {
		id, _ := header.List(r.Headers).Get(header.ID)
		ids[id]++
	}
	return ids
}

// eachOnce checks that the raw topic holds the webhooks 0 to n-1, each once.
func (w *world) eachOnce(n int) {
	w.Helper()
	got := w.eventIDs(w.cfg.Topics.Raw)
	for i := range n {
		if id := fmt.Sprintf("evt_%d", i); got[id] != 1 {
			w.Errorf("%s was sent %d times", id, got[id])
		}
	}
	if len(got) != n {
		w.Errorf("%d different events were sent, want %d", len(got), n)
	}
	if resolved := w.read(w.cfg.Topics.Resolutions); len(resolved) != n {
		w.Errorf("%d resolutions, want %d", len(resolved), n)
	}
}

type result struct {
	code     int
	out, err string
}

// dlq runs the command as in a pipe.
func (w *world) dlq(args ...string) result {
	w.Helper()
	return w.with(&console.Console{In: strings.NewReader("")}, args...)
}

func (w *world) with(c *console.Console, args ...string) result {
	w.Helper()
	var out, err bytes.Buffer
	c.Out, c.Err = &out, &err
	code := Main(w.Context(), c, append(args, w.flags()...))
	return result{code, out.String(), err.String()}
}

// flags lead a command to the installation.
func (w *world) flags() []string {
	n := &w.cfg.Topics
	return []string{
		"--brokers", strings.Join(w.cfg.Brokers, ","), "--max-message-bytes", fmt.Sprint(w.cfg.MaxMessageBytes),
		"--topic-raw", n.Raw, "--topic-held", n.Held, "--topic-dead-letters", n.DeadLetters, "--topic-resolutions", n.Resolutions, "--topic-sink-replay", n.SinkReplay,
	}
}

// want checks exit code and what must be in the output.
func (r result) want(t testing.TB, code int, parts ...string) result {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	for _, p := range parts {
		if !strings.Contains(r.out+r.err, p) {
			t.Errorf("%q is not in the output", p)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", r.out, r.err)
	}
	return r
}

// golden compares text with testdata/golden/name and says if a line is wider
// than a terminal.
func (w *world) golden(name, text string) {
	w.Helper()
	if !w.broker.Embedded() {
		return // a shared broker: names differ from run to run
	}
	for line := range strings.Lines(text) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			w.Errorf("%d columns: %s", n, line)
		}
	}
	golden.Check(w, filepath.Join("testdata", "golden", name), []byte(text))
}
