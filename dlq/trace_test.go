// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/journey"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// pipeline writes to a world's topics what the services would, at times that are
// the same in every run.
type pipeline struct {
	*world
	writer *kgo.Client
}

func newPipeline(t *testing.T) *pipeline {
	t.Helper()
	w := newWorld(t)
	// Without a producer id, which differs from run to run.
	writer, err := w.cfg.NewClient("test", slog.New(slog.DiscardHandler), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(writer.Close)
	return &pipeline{w, writer}
}

func (p *pipeline) put(r *kgo.Record) record.Position {
	p.Helper()
	if err := p.writer.ProduceSync(p.Context(), r).FirstErr(); err != nil {
		p.Fatal(err)
	}
	return record.PositionOf(r)
}

// delivery is the n-th delivery of an event.
func delivery(id string, n int) *record.Webhook {
	return &record.Webhook{
		Tenant: "default", Provider: "stripe", EventID: id, IdentitySource: identity.ProviderID,
		EventType: "charge.failed", BusinessKey: "pi_" + id, OccurredAt: day, ReceivedAt: day.Add(time.Duration(n) * time.Minute),
		CorrelationID: fmt.Sprintf("corr-%s-%d", id, n), ContentType: "application/json",
		Verification: record.Verification{Scheme: "hmac", KeyID: "0a1b2c3d"}, Remote: "198.51.100.7",
		Body: fmt.Appendf(nil, "{\"id\":%q,\"amount\":\"12\"}\n", id),
	}
}

// raw is what ingest writes.
func (p *pipeline) raw(w *record.Webhook) *kgo.Record {
	p.Helper()
	r := w.Record(p.cfg.Topics.Raw)
	trace(r, identity.Of(w.Tenant, w.EventID, w.CorrelationID).String())
	p.put(r)
	return r
}

func trace(r *kgo.Record, id string) {
	h := header.List(r.Headers)
	h.Set(header.TraceParent, "00-"+id+"-00f067aa0ba902b7-01")
	r.Headers = h
}

// event is what transform makes of a raw record.
func (p *pipeline) event(raw *kgo.Record, after time.Duration) *kgo.Record {
	p.Helper()
	w, err := record.ParseWebhook(raw)
	if err != nil {
		p.Fatal(err)
	}
	r := record.EventRecord(p.cfg.Topics.Events("payment"), &event.Event{
		Entity: "payment", ID: w.BusinessKey, Meta: event.Meta{
			EventID: w.EventID, EventType: w.EventType, Provider: w.Provider, Tenant: w.Tenant, BusinessKey: w.BusinessKey,
			OccurredAt: w.OccurredAt, ReceivedAt: w.ReceivedAt, CorrelationID: w.CorrelationID,
		},
	}, []byte{0, 0, 0, 0, 1, 2})
	r.Timestamp = w.ReceivedAt.Add(after)
	parent, _ := header.List(raw.Headers).Get(header.TraceParent)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: header.TraceParent, Value: []byte(parent)},
		kgo.RecordHeader{Key: header.TransactionID, Value: []byte("transform-1/mwtw9k3q-8412")})
	p.put(r)
	return r
}

// fail is the dead letter of a record.
func (p *pipeline) fail(stage record.Stage, r *kgo.Record, why reason.Code, after time.Duration) string {
	p.Helper()
	d := record.DeadLetter{
		Stage: stage, Failed: record.PositionOf(r), Class: "permanent", Reason: why, Exception: "hookstream.mapping_failed",
		Message: "stripe revision 1: charge.failed: field amount: \".amount\": gives a string, want an integer", Attempts: 1,
		FirstFailedAt: r.Timestamp.Add(after), LastFailedAt: r.Timestamp.Add(after), ServiceVersion: "v1",
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
	l := d.Record(p.cfg.Topics.DeadLetters)
	l.Timestamp = d.LastFailedAt
	p.put(l)
	return d.ID()
}

// resolve is what an operator did with a dead letter. A replay gives the record.
func (p *pipeline) resolve(id string, r *kgo.Record, res record.Resolution, value []byte) *kgo.Record {
	p.Helper()
	res.DeadLetterID, res.By = id, "ann@ops"
	resolution, err := res.Record(p.cfg.Topics.Resolutions)
	if err != nil {
		p.Fatal(err)
	}
	p.put(resolution)
	if res.Action != record.Replayed {
		return nil
	}
	d := record.DeadLetter{Stage: record.StageTransform, Failed: record.PositionOf(r), Key: r.Key, Value: r.Value, Headers: r.Headers}
	if value != nil {
		d = *d.Edited(value, "ann@ops")
	}
	again, err := d.Replay(res.Target, res.ReplayID)
	if err != nil {
		p.Fatal(err)
	}
	again.Timestamp = res.At.Add(4 * time.Millisecond)
	trace(again, "99999999999999999999999999999999")
	p.put(again)
	return again
}

// done says that a stage has read a topic to its end.
func (p *pipeline) done(group, topic string) {
	p.Helper()
	admin := kadm.NewClient(p.client)
	ends, err := admin.ListEndOffsets(p.Context(), topic)
	if err != nil {
		p.Fatal(err)
	}
	if err := admin.CommitAllOffsets(p.Context(), p.broker.Name(group), ends.Offsets()); err != nil {
		p.Fatal(err)
	}
}

func (p *pipeline) transformDone() { p.done("transform", p.cfg.Topics.Raw) }

// trace runs the command as in a pipe.
func (p *pipeline) trace(args ...string) result {
	p.Helper()
	return p.traceOn(&console.Console{In: strings.NewReader("")}, args...)
}

func (p *pipeline) traceOn(c *console.Console, args ...string) result {
	p.Helper()
	var out, err bytes.Buffer
	c.Out, c.Err = &out, &err
	n := &p.cfg.Topics
	args = append([]string{"trace"}, append(args, "--brokers", strings.Join(p.cfg.Brokers, ","), "--partitions", fmt.Sprint(partitions),
		"--topic-raw", n.Raw, "--topic-held", n.Held, "--topic-dead-letters", n.DeadLetters, "--topic-resolutions", n.Resolutions, "--topic-sink-replay", n.SinkReplay,
		"--topic-events-prefix", n.EventsPrefix, "--topic-dedup", n.Dedup,
		"--transform-group", p.broker.Name("transform"), "--sink-group", p.broker.Name("sink"))...)
	code := Hookstream(p.Context(), c, args)
	return result{code, out.String(), err.String()}
}

// journey is the only one of an ID.
func (p *pipeline) journey(args ...string) *journey.Journey {
	p.Helper()
	r := p.report(args...)
	if len(r.Events) != 1 {
		p.Fatalf("%d events", len(r.Events))
	}
	return r.Events[0]
}

func (p *pipeline) report(args ...string) *journey.Report {
	p.Helper()
	var r journey.Report
	if err := json.Unmarshal([]byte(p.trace(append(args, "-o", "json")...).want(p, exitOK).out), &r); err != nil {
		p.Fatal(err)
	}
	return &r
}

// way is a delivery's status and hops in short.
func way(d *journey.Delivery) string {
	words := []string{string(d.Status) + ":"}
	for _, h := range d.Hops {
		word := string(h.Kind)
		if h.ResolutionDetails != nil {
			word = string(h.Action)
		}
		if h.Stage != "" {
			word += "(" + string(h.Stage) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (p *pipeline) wantWays(id string, want ...string) *journey.Journey {
	p.Helper()
	j := p.journey(id)
	var got []string
	for _, d := range j.Deliveries {
		got = append(got, way(d))
	}
	if !slices.Equal(got, want) {
		p.Errorf("%s\n got %q\nwant %q", id, got, want)
	}
	return j
}

const (
	mapping = reason.MappingFailed
	ms      = time.Millisecond
)

func TestTraceInFlight(t *testing.T) {
	p := newPipeline(t)
	p.raw(delivery("a", 1))
	p.transformDone()
	raw := p.raw(delivery("a", 2))
	j := p.wantWays("a", "dropped: request raw dropped(transform)", "in-flight: request raw waiting(transform)")
	if behind := j.Deliveries[1].Hops[2].Behind; behind == nil || *behind != 1 {
		t.Errorf("%v records behind", behind)
	}
	p.event(raw, 3*ms)
	p.transformDone()
	p.wantWays("a", "duplicate: request raw duplicate(transform)", "in-flight: request raw event waiting(sink)")
	p.done("sink", p.cfg.Topics.Events("payment"))
	p.wantWays("a", "duplicate: request raw duplicate(transform)", "unknown: request raw event unknown(sink)")
}

// TestTraceHeld: what transform holds is neither dropped nor a repeat, until it is
// released.
func TestTraceHeld(t *testing.T) {
	p := newPipeline(t)
	h := &record.Held{Raw: p.raw(delivery("a", 1)), Since: day.Add(2 * time.Minute), Reason: mapping, Message: "field amount: gives a string"}
	held := h.Record(p.cfg.Topics.Held)
	p.put(held)
	p.transformDone()
	j := p.wantWays("a", "held: request raw held(transform)")
	if d := j.Deliveries[0].Hops[2].HoldDetails; d == nil || d.HeldFor != mapping || d.Because != h.Message || j.Status != journey.Held {
		t.Errorf("held with %+v, status %s", d, j.Status)
	}
	if out := p.trace("a").out; !strings.Contains(out, "mapping_failed") || !strings.Contains(out, h.Message) {
		t.Errorf("the text does not say why:\n%s", out)
	}
	p.put(record.Release(held))
	p.event(h.Raw, 3*ms)
	p.wantWays("a", "in-flight: request raw event waiting(sink)")
}

func TestTraceDuplicateOfWhatIsNoLongerKept(t *testing.T) {
	p := newPipeline(t)
	raw := p.raw(delivery("a", 5))
	p.transformDone()
	accepted := day.Add(time.Second)
	p.put(record.DedupRecord(p.cfg.Topics.Dedup, raw.Topic, raw.Partition, accepted, []record.DedupEntry{{Fingerprint: identity.Of("default", "stripe", "a")}}))
	j := p.wantWays("a", "duplicate: request raw duplicate(transform)")
	if at := j.Deliveries[0].Hops[2].AcceptedAt; at == nil || !at.Equal(accepted) {
		t.Errorf("accepted at %v", at)
	}
}

func TestTraceDeadLettersOfTransform(t *testing.T) {
	p := newPipeline(t)
	first := p.raw(delivery("a", 1))
	id := p.fail(record.StageTransform, first, mapping, 3*ms)
	p.fail(record.StageTransform, first, mapping, 4*ms) // a copy, after a crash
	p.wantWays("a", "dead-lettered: request raw dead-letter(transform)")
	p.golden("trace.dead-lettered.txt", p.trace("a").want(t, exitOK).out)

	p.resolve(id, nil, record.Resolution{Action: record.Discarded, At: day.Add(time.Hour), Why: "test traffic"}, nil)
	p.wantWays("a", "discarded: request raw dead-letter(transform) discarded")
	p.resolve(id, nil, record.Resolution{Action: record.Reopened, At: day.Add(2 * time.Hour)}, nil)
	p.wantWays("a", "dead-lettered: request raw dead-letter(transform) discarded reopened")

	edited := record.Resolution{
		Action: record.Replayed, At: day.Add(3 * time.Hour), ReplayID: "fix-7", Target: p.cfg.Topics.Raw, Why: "a typo of theirs",
		Edit: &record.Edit{Patch: ".amount |= tonumber", Diff: "@@ line 3\n-  \"amount\": \"12\"\n+  \"amount\": 12\n"},
	}
	again := p.resolve(id, first, edited, []byte(`{"amount":12}`))
	p.transformDone()
	second := p.raw(delivery("a", 1000))
	p.fail(record.StageTransform, second, reason.IdentityConflict, 2*ms)
	p.event(again, 3*time.Hour+9*ms)
	p.wantWays("a",
		"in-flight: request raw dead-letter(transform) discarded reopened replayed raw event waiting(sink)",
		"conflict: request raw dead-letter(transform)")
	p.golden("trace.replayed.txt", p.trace("a").want(t, exitOK).out)
	if links := p.trace("a", "--open", "--trace-url", "https://jaeger.example/{trace_id}").want(t, exitOK).out; strings.Count(links, "\n") != 3 ||
		!strings.Contains(links, "\nhttps://jaeger.example/99999999999999999999999999999999\n") {
		t.Errorf("the links are\n%s", links)
	}
	p.trace("a", "--trace-url", "https://jaeger.example/{trace_id}").want(t, exitOK, " https://jaeger.example/99999999999999999999999999999999\n")
}

func TestTraceDeadLettersOfTheSink(t *testing.T) {
	p := newPipeline(t)
	raw := p.raw(delivery("a", 1))
	ev := p.event(raw, 3*ms)
	id := p.fail(record.StageSink, ev, reason.ConstraintViolation, 5*ms)
	p.transformDone()
	p.wantWays("a", "dead-lettered: request raw event dead-letter(sink)")
	again := p.resolve(id, ev, record.Resolution{Action: record.Replayed, At: day.Add(time.Hour), ReplayID: "r", Target: p.cfg.Topics.SinkReplay}, nil)
	p.wantWays("a", "in-flight: request raw event dead-letter(sink) replayed sink-replay waiting(sink)")
	p.fail(record.StageSink, again, reason.ConstraintViolation, 5*ms)
	j := p.wantWays("a", "dead-lettered: request raw event dead-letter(sink) replayed sink-replay dead-letter(sink)")
	if hop := j.Deliveries[0].Hops[5]; hop.TraceID != "99999999999999999999999999999999" || *hop.AfterSeconds != 0.004 || hop.ReplayCount != 1 {
		t.Errorf("the replay is %+v", hop)
	}
}

// TestTraceWhatOnlyDeadLettersKeep deletes the records that failed.
func TestTraceWhatOnlyDeadLettersKeep(t *testing.T) {
	p := newPipeline(t)
	raw := p.raw(delivery("a", 1))
	p.fail(record.StageTransform, raw, mapping, 3*ms)
	p.broker.DeleteRecords(t, raw.Topic, raw.Partition, raw.Offset+1)
	j := p.wantWays("a", "dead-lettered: request raw dead-letter(transform)")
	if h := j.Deliveries[0].Hops; !h[1].Gone || h[0].Remote != "198.51.100.7" || h[0].VerificationKey != "0a1b2c3d" {
		t.Errorf("got %+v %+v", h[0], h[1])
	}
	p.trace("a", "--body").want(t, exitFailed, "no longer keeps the body", "dlq show")
}

func TestTraceFindsByEveryID(t *testing.T) {
	p := newPipeline(t)
	for _, id := range []string{"a", "b", "c"} {
		p.raw(delivery(id, 1))
	}
	w := delivery("b", 2)
	w.CorrelationID = "00000000000000000000000000000001"
	raw := p.raw(w)
	letter := p.fail(record.StageTransform, raw, mapping, ms)
	ids := map[string]string{
		"event id": "b", "fingerprint": identity.Of("default", "stripe", "b").String(), "business key": "pi_b", "record key": "default/stripe/pi_b",
		"correlation id": w.CorrelationID, "trace id": identity.Of("default", "b", w.CorrelationID).String(),
		"position": record.PositionOf(raw).String(), "dead letter": letter,
	}
	for name, id := range ids {
		if j := p.journey(id); j.EventID != "b" || len(j.Deliveries) != 2 {
			t.Errorf("%s: %s with %d deliveries", name, j.EventID, len(j.Deliveries))
		}
	}
	p.trace("b", "--by", "correlation").want(t, exitPartial, "nothing found by the ID b")
	p.trace("b", "--provider", "github").want(t, exitPartial, "nothing found")
	p.trace("b", "--tenant", "default", "--provider", "stripe").want(t, exitOK)
}

func TestTraceOfAKeyReadsItsPartitionOnlyAndTheNewest(t *testing.T) {
	p := newPipeline(t)
	for i := range 30 {
		w := delivery(fmt.Sprintf("e%02d", i), i)
		w.BusinessKey = "pi_1"
		p.raw(w)
		p.raw(delivery(fmt.Sprintf("other-%d", i), i))
	}
	r := p.report("pi_1", "--by", "key", "--tenant", "default", "--provider", "stripe", "--limit", "3")
	var got []string
	for _, j := range r.Events {
		got = append(got, j.EventID)
	}
	if fmt.Sprint(got) != "[e29 e28 e27]" || r.More != 27 {
		t.Errorf("got %v and %d more", got, r.More)
	}
	for _, l := range r.Searched.Topics {
		if l.Topic == p.cfg.Topics.Raw && l.Partitions != 1 {
			t.Errorf("%d partitions of %s were read", l.Partitions, l.Topic)
		}
	}
}

func TestTraceSaysHowFarItLooked(t *testing.T) {
	p := newPipeline(t)
	for i := range 10 {
		p.raw(delivery(fmt.Sprintf("e%d", i), 10*i))
	}
	r := p.trace("nothing").want(t, exitPartial, "nothing found by the ID nothing", "looked through 10 records, from the beginning:", "not through the ledger: set HOOKSTREAM_DATABASE_URL")
	if r.out != "" {
		t.Errorf("stdout has %q", r.out)
	}
	p.trace("e0", "--since", day.Add(50*time.Minute).Format(time.RFC3339)).want(t, exitPartial, "looked through 5 records, from 2026-03-01 09:50:00.000 UTC")
	p.trace("e9", "--until", day.Add(50*time.Minute).Format(time.RFC3339)).want(t, exitPartial, "looked through 6 records")
	p.trace("e5", "--since", day.Add(50*time.Minute).Format(time.RFC3339), "--until", day.Add(51*time.Minute).Format(time.RFC3339)).want(t, exitOK)
	var report journey.Report
	out := p.trace("nothing", "-o", "json").want(t, exitPartial).out
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Events) != 0 || report.Searched.Records != 10 {
		t.Errorf("got %s, %v", out, err)
	}
}

func TestTraceBodyIsExact(t *testing.T) {
	p := newPipeline(t)
	w := delivery("a", 1)
	w.Body = []byte("{\"x\":\"\x1b]0;t\x07\"}\r\n \xff")
	p.raw(w)
	p.raw(delivery("a", 2))
	r := p.trace("a", "--body").want(t, exitOK, "it may hold personal data")
	if r.out != string(w.Body) {
		t.Errorf("got %q", r.out)
	}
	if r := p.trace("a", "--body", "--delivery", "2").want(t, exitOK); r.out != string(delivery("a", 2).Body) {
		t.Errorf("got %q", r.out)
	}
	p.trace("a", "--body", "--delivery", "3").want(t, exitUsage, "there are 2")
	shown := p.traceOn(&console.Console{In: strings.NewReader(""), OutTerminal: true}, "a", "--body").want(t, exitOK)
	if strings.ContainsAny(shown.out, "\x1b\x07") || !utf8.ValidString(shown.out) {
		t.Errorf("the terminal is sent %q", shown.out)
	}
}

// TestTraceIsNotMisledByRecords reads records that no service wrote.
func TestTraceIsNotMisledByRecords(t *testing.T) {
	p := newPipeline(t)
	raw := p.raw(delivery("a", 1))
	for _, topic := range []string{p.cfg.Topics.Raw, p.cfg.Topics.DeadLetters, p.cfg.Topics.Events("payment"), p.cfg.Topics.Dedup} {
		p.put(&kgo.Record{Topic: topic, Key: []byte("default/stripe/pi_a"), Value: []byte("x"), Headers: []kgo.RecordHeader{
			{Key: header.ID, Value: []byte("a")}, {Key: header.Tenant, Value: []byte("default")}, {Key: header.Provider, Value: []byte("stripe")},
			{Key: header.TraceParent, Value: []byte("00-x")},
		}})
		p.put(&kgo.Record{Topic: topic})
	}
	p.event(raw, ms)
	p.transformDone()
	p.wantWays("a", "in-flight: request raw event waiting(sink)")
	w := delivery("hostile\x1b]0;\u202e", 1)
	w.Remote, w.Verification.Scheme = "\x1b[2J", "\u009b"
	p.raw(w)
	if out := p.trace(w.EventID).want(t, exitOK).out; strings.ContainsAny(out, "\x1b\u202e\u009b") {
		t.Errorf("the terminal is sent %q", out)
	}
}

// TestTraceOfAnEventThatComesAgainAndAgain bounds what is kept and shown of it.
func TestTraceOfAnEventThatComesAgainAndAgain(t *testing.T) {
	p := newPipeline(t)
	const n = 1010
	p.event(p.raw(delivery("a", 0)), 3*ms)
	var again []*kgo.Record
	for i := range n {
		again = append(again, delivery("a", i+1).Record(p.cfg.Topics.Raw))
	}
	p.produce(again...)
	p.transformDone()
	r := p.report("a")
	if got := len(r.Events[0].Deliveries); got != 1000 || len(r.Unknown) != 2 || !strings.HasPrefix(r.Unknown[0], "11 more deliveries of a") {
		t.Errorf("%d deliveries, unknown: %q", got, r.Unknown)
	}
	out := p.trace("a").want(t, exitOK, "995 more deliveries are duplicates").out
	if lines := strings.Count(out, "\n"); lines > 60 {
		t.Errorf("%d lines are printed", lines)
	}
}

// TestTraceGoesOnWithoutWhatIsAway asks a registry and a database that are not
// there.
func TestTraceGoesOnWithoutWhatIsAway(t *testing.T) {
	p := newPipeline(t)
	raw := p.raw(delivery("a", 1))
	p.event(raw, 3*ms)
	p.transformDone()
	nobody := "127.0.0.1:1"
	r := p.trace("a", "--registry-url", "http://"+nobody, "--database-url", "postgres://"+nobody+"/x?connect_timeout=1").
		want(t, exitIncomplete, "in-flight", "the ledger could not be asked: ", "which revision of the definition made an event: schema registry")
	if !strings.Contains(r.out, "\nUnknown: what the sink did: the ledger could not be asked: ") {
		t.Errorf("standard output does not say what is unknown:\n%s", r.out)
	}
	p.trace("nothing", "--database-url", "postgres://"+nobody+"/x").want(t, exitIncomplete, "not through the ledger, which could not be asked: ")
}

// TestTraceWhileTheLedgerHangs asks a Postgres that takes connections and does
// not answer, from the first byte on or from the first question on.
func TestTraceWhileTheLedgerHangs(t *testing.T) {
	p := newPipeline(t)
	raw := p.raw(delivery("a", 1))
	p.event(raw, 3*ms)
	p.transformDone()
	p.done("sink", p.cfg.Topics.Events("payment"))
	for name, greet := range map[string]bool{"at once": false, "after the greeting": true} {
		url := hangingPostgres(t, greet)
		var report journey.Report
		r := p.trace("a", "--database-url", url, "--ledger-timeout", "300ms", "-o", "json").want(t, exitIncomplete)
		if err := json.Unmarshal([]byte(r.out), &report); err != nil {
			t.Fatal(err)
		}
		if !report.Incomplete || report.Searched.LedgerError == "" || len(report.Unknown) == 0 || strings.Contains(r.out, "set HOOKSTREAM_DATABASE_URL") {
			t.Errorf("%s: got %s", name, r.out)
		}
		if got := way(report.Events[0].Deliveries[0]); got != "unknown: request raw event unknown(sink)" {
			t.Errorf("%s: got %s", name, got)
		}
		p.trace("nothing", "--database-url", url, "--ledger-timeout", "300ms").want(t, exitIncomplete, "not through the ledger, which could not be asked")
		p.trace("a", "--body", "--database-url", url, "--ledger-timeout", "300ms").want(t, exitOK)
	}
}

// hangingPostgres is the URL of a server that lets nobody in, or that lets
// everybody in and then answers nothing.
func hangingPostgres(t *testing.T, greet bool) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			if !greet {
				continue
			}
			backend := pgproto3.NewBackend(conn, conn)
			if _, err := backend.ReceiveStartupMessage(); err != nil {
				continue // a request to cancel, which says no more
			}
			backend.Send(&pgproto3.AuthenticationOk{})
			backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			_ = backend.Flush()
		}
	}()
	return "postgres://" + ln.Addr().String() + "/x?sslmode=disable"
}

// TestTraceProposesWhatWasMeant asks for ids that nothing has.
func TestTraceProposesWhatWasMeant(t *testing.T) {
	p := newPipeline(t)
	for _, id := range []string{"d9/7", "d9/1", "d9/3", "d9/3", "d9/2", "d9/6", "d9/5", "other", "\x1b]0;"} {
		p.raw(delivery(id, 1))
	}
	for id, want := range map[string]string{
		"d9/": "Events whose ids begin so:\n  d9/1\n  d9/2\n  d9/3\n  d9/5\n  d9/6\n",
		"ot":  "begin so:\n  other\n",
		"nosuch": "A request that ingest refused is on no topic; if this is its correlation id, look in\ningest's log:\n" +
			"  grep -F '\"correlation_id\":\"nosuch\"'\n",
	} {
		if r := p.trace(id).want(t, exitPartial); !strings.HasSuffix(r.err, want) {
			t.Errorf("%s: got %s", id, r.err)
		}
	}
	if r := p.trace("\x1b").want(t, exitPartial); strings.Contains(r.err, "\x1b") {
		t.Errorf("the terminal is sent %q", r.err)
	}
	if r := p.trace("d9", "--by", "key").want(t, exitPartial); strings.Contains(r.err, "d9/") {
		t.Errorf("event ids are proposed as keys:\n%s", r.err)
	}
	if r := p.trace("d9", "--provider", "github").want(t, exitPartial); strings.Contains(r.err, "d9/") {
		t.Errorf("another provider's events are proposed:\n%s", r.err)
	}
	var report journey.Report
	if err := json.Unmarshal([]byte(p.trace("ot", "-o", "json").want(t, exitPartial).out), &report); err != nil || !slices.Equal(report.Similar, []string{"other"}) {
		t.Errorf("got %q, %v", report.Similar, err)
	}
}

func TestTraceUsage(t *testing.T) {
	w := &pipeline{world: &world{TB: t}}
	for want, args := range map[string][]string{
		"--limit 0":           {"a", "--limit", "0"},
		"one at a time":       {"a", "--body", "--open"},
		"must be positive":    {"a", "--ledger-timeout", "0s"},
		"has no {trace_id}":   {"a", "--trace-url", "http://x/"},
		"is not before":       {"a", "--since", "2026-01-02", "--until", "2026-01-01"},
		"ID is empty":         {""},
		"--by must be one of": {"a", "--by", "guess"},
	} {
		var out, err bytes.Buffer
		code := Hookstream(w.Context(), &console.Console{In: strings.NewReader(""), Out: &out, Err: &err}, append([]string{"trace"}, args...))
		result{code, out.String(), err.String()}.want(t, exitUsage, want)
	}
}
