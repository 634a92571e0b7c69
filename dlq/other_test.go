// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/history"
	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/stage/runtest"
)

// TestOtherProgramsDeadLetters reads what Kafka Connect, Spring for Apache Kafka
// and Kafka Streams write.
func TestOtherProgramsDeadLetters(t *testing.T) {
	w := newWorld(t)
	topic := w.broker.CreateTopic(t, 1, "theirs")
	const null = "\x00null"
	record := func(headers ...string) *kgo.Record {
		r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(`{"a":1}`), Timestamp: day}
		for pair := range slices.Chunk(headers, 2) {
			h := kgo.RecordHeader{Key: pair[0], Value: []byte(pair[1])}
			if pair[1] == null {
				h.Value = nil
			}
			r.Headers = append(r.Headers, h)
		}
		return r
	}
	w.produce(
		record("__connect.errors.topic", "orders", "__connect.errors.partition", "2", "__connect.errors.offset", "7",
			"__connect.errors.exception.class.name", "org.apache.kafka.connect.errors.DataException", "__connect.errors.exception.message", "no field 12"),
		record("kafka_dlt-original-topic", "orders", "kafka_dlt-original-partition", "\x00\x00\x00\x01",
			"kafka_dlt-original-offset", "\x00\x00\x00\x00\x00\x00\x01\x00", "kafka_dlt-exception-message", "no row 12"),
		record("__streams.errors.topic", "orders", "__streams.errors.partition", "0", "__streams.errors.offset", "3",
			"__streams.errors.exception", "java.lang.NullPointerException", "app", "shop"),
		record("__streams.errors.topic", "orders", "__streams.errors.partition", "-1"),
		record("x", "y"),
		// Null headers, and none of a position: each stands for itself.
		record("__connect.errors.topic", null, "__connect.errors.partition", "2", "__connect.errors.offset", "7"),
		record("__connect.errors.topic", null, "__connect.errors.partition", "2", "__connect.errors.offset", "7"),
		record("__connect.errors.topic", null, "__connect.errors.partition", null, "__connect.errors.offset", null, "__connect.errors.exception.message", null, "other", null),
		record("__connect.errors.connector.name", "source"),
		record("kafka_dlt-original-topic", null, "kafka_dlt-original-partition", null, "kafka_dlt-original-offset", null),
	)
	want := []string{"connect:orders/2/7", "spring:orders/1/256", "streams:orders/0/3", "streams:" + topic + "/0/3"}
	for i, stage := range []string{"connect", "connect", "connect", "connect", "spring"} {
		want = append(want, fmt.Sprintf("%s:%s/0/%d", stage, topic, 5+i))
	}
	r := w.dlq("list", "--topic", topic, "--limit", "0", "-o", "tsv").want(t, exitOK, "skipped 1 records")
	for _, id := range want {
		if !strings.Contains(r.out, id+"\t") {
			t.Errorf("%s is not in\n%s", id, r.out)
		}
	}
	w.dlq("stats", "--topic", topic).want(t, exitOK, "no field #", "java.lang.NullPointerException", "6 kinds")
	w.dlq("show", want[1], "--topic", topic).want(t, exitOK, "no row 12", "another program's dead letter", `"a": 1`)
	w.dlq("show", want[2], "--topic", topic).want(t, exitOK, "app: shop")
	w.dlq("list", "--topic", topic, "--stage", "spring", "-o", "tsv").want(t, exitOK, want[1])
	w.dlq("list", "--topic", "nowhere").want(t, exitFailed, "topic nowhere does not exist")
}

func TestExportAndImport(t *testing.T) {
	from, to := newWorld(t), newWorld(t)
	from.many(3)
	odd := from.letter(5)
	odd.Key, odd.Value = []byte{0xff, 0}, []byte{0xfe, '\n', 0}
	deleted := from.letter(6)
	deleted.Value = nil
	from.write(odd, deleted)
	from.dlq("discard", from.letter(0).ID(), "--why", "x", "--yes").want(t, exitOK)
	lines := from.dlq("export").want(t, exitOK, "4 exported").out

	load := func(text string, args ...string) result {
		return to.with(&console.Console{In: strings.NewReader(text)}, append([]string{"import", "-"}, args...)...)
	}
	load(lines).want(t, exitUsage, "add --yes")
	load(lines, "--dry-run").want(t, exitOK, "4 would be imported")
	load(lines, "--yes").want(t, exitOK, "4 imported, 0 are there already")
	load(lines, "--yes").want(t, exitOK, "0 imported, 4 are there already")
	if from.broker.Embedded() { // names of topics are the same
		if again := to.dlq("export").want(t, exitOK).out; sorted(without(again)) != sorted(without(lines)) {
			t.Errorf("got\n%swant\n%s", again, lines)
		}
	}
	load("{}\n", "--yes").want(t, exitFailed, "line 1: version 0")
	load(strings.Replace(lines, `"id":"transform:`, `"id":"sink:`, 1), "--yes").want(t, exitFailed, "not what the headers say", "0 were imported")
	to.dlq("import", filepath.Join(t.TempDir(), "none")).want(t, exitUsage, "no such file")
	to.dlq("export", "--status", "all", "--event-id", "nobody").want(t, exitOK, "0 exported")
}

// without takes the offsets out, which an import does not keep.
func without(lines string) []string {
	var out []string
	for line := range strings.Lines(lines) {
		var v map[string]any
		if json.Unmarshal([]byte(line), &v) == nil {
			delete(v, "offset")
			delete(v, "partition")
			text, _ := json.Marshal(v)
			out = append(out, string(text))
		}
	}
	return out
}

func sorted(lines []string) string {
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	if none := w.dlq("history", "-o", "json").want(t, exitOK, "nothing was done").out; none != "[]\n" {
		t.Errorf("no history in JSON is %q", none)
	}
	w.many(6)
	w.dlq("discard", w.letter(0).ID(), w.letter(1).ID(), "--why", "noise", "--by", "ann", "--yes").want(t, exitOK)
	w.dlq("undo", w.letter(1).ID(), "--why", "not noise", "--by", "bob", "--yes").want(t, exitOK)
	w.dlq("replay", "--all", "--limit", "3", "--replay-id", "r1", "--by", "ann", "--patch", ".amount = 7", "--yes").want(t, exitOK)
	r := w.dlq("history").want(t, exitOK, "1 reopened by bob", "3 replayed by ann", "r1", "patch    .amount = 7", `+  "amount": 7`)
	for line := range strings.Lines(r.out) {
		if len([]rune(line)) > 81 {
			t.Errorf("wide: %s", line)
		}
	}
	var runs []history.Run
	if err := json.Unmarshal([]byte(w.dlq("history", "--by", "ann", "-o", "json").want(t, exitOK).out), &runs); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, run := range runs {
		counts[string(run.Action)+run.Why] += run.Count
	}
	if counts["replayed"] != 3 || counts["discardednoise"] != 2 || len(counts) != 2 {
		t.Errorf("ann did %v", counts)
	}
	w.dlq("history", w.letter(0).ID()).want(t, exitOK, "1 discarded by ann", "noise")
	testWhich(t, w)
	w.dlq("history", "--limit", "1").want(t, exitOK, "2 more; --limit 0 shows all")
	w.dlq("history", "--since", "2100-01-01").want(t, exitOK, "nothing was done")
}

// testWhich asks to which a discard was done, of which one was reopened and
// replayed since.
func testWhich(t *testing.T, w *world) {
	t.Helper()
	var runs []history.Run
	if err := json.Unmarshal([]byte(w.dlq("history", w.letter(0).ID(), "-o", "json").want(t, exitOK).out), &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) != 1 || runs[0].RunID == "" || runs[0].ReplayID != "" {
		t.Fatalf("the discard is %+v", runs)
	}
	w.dlq("history").want(t, exitOK, "run      "+runs[0].RunID)
	want := []string{w.letter(1).ID(), w.letter(0).ID()}
	if got := w.ids("--run", runs[0].RunID); !slices.Equal(got, want) {
		t.Errorf("%s changed %v, want %v", runs[0].RunID, got, want)
	}
}

// TestHistoryOutlivesCompaction: the last resolution alone tells all that was
// done before.
func TestHistoryOutlivesCompaction(t *testing.T) {
	w := newWorld(t)
	w.many(1)
	w.dlq("discard", "--all", "--why", "noise", "--by", "ann", "--yes").want(t, exitOK, "1 of 1 discarded (run ")
	w.dlq("undo", "--all", "--by", "bob", "--yes").want(t, exitOK)
	w.dlq("discard", "--all", "--why", "noise again", "--by", "eve", "--yes").want(t, exitOK)
	w.dlq("undo", "--all", "--by", "bob", "--yes").want(t, exitOK)
	w.dlq("replay", "--all", "--by", "ann", "--yes").want(t, exitOK)
	all := w.read(w.cfg.Topics.Resolutions)
	w.cfg.Topics.Resolutions += "-compacted"
	if err := w.cfg.EnsureTopics(t.Context(), w.client, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	last := all[len(all)-1]
	w.produce(&kgo.Record{Topic: w.cfg.Topics.Resolutions, Key: last.Key, Value: last.Value})
	w.dlq("history").want(t, exitOK, "replayed by ann", "discarded by eve", "noise again", "discarded by ann", "reopened by bob")
}

// written is a pipe's end that can be looked at while it is written to.
type written struct{ runtest.Output }

func (w *written) has(s string) bool { return strings.Contains(w.String(), s) }

func TestTailFollows(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	out := &written{}
	ended := make(chan int)
	go func() {
		n := &w.cfg.Topics
		ended <- Main(ctx, &console.Console{In: strings.NewReader(""), Out: out, Err: io.Discard}, []string{
			"tail", "--since", "2026-01-01", "--type", "charge.*", "-o", "tsv", "--brokers", strings.Join(w.cfg.Brokers, ","),
			"--topic-dead-letters", n.DeadLetters, "--topic-resolutions", n.Resolutions,
		})
	}()
	other := w.letter(2)
	other.Headers.Set("ce_type", "ping")
	w.write(w.letter(1), other, w.letter(3))
	runtest.Eventually(t, "both are followed", func() bool { return out.has(w.letter(1).ID()+"\t") && out.has(w.letter(3).ID()+"\t") })
	stop()
	if code := <-ended; code != exitOK || out.has(other.ID()+"\t") {
		t.Errorf("exit code %d after %s", code, out.String())
	}
}

// TestTailEnds where it is told to, knows what was replayed, and gives copies of
// one failure once.
func TestTailEnds(t *testing.T) {
	w := newWorld(t)
	w.many(5)
	w.write(w.letter(1)) // a copy
	w.dlq("replay", w.letter(2).ID(), "--yes").want(t, exitOK)
	for _, args := range [][]string{
		{"--until", "2026-03-01T09:03:00Z"}, {"--to-offset", "1000000", "--until", "2026-03-01T09:03:00Z"},
	} {
		status := map[string]string{}
		r := w.dlq(append([]string{"tail", "--since", "2026-01-01", "-o", "json"}, args...)...).want(t, exitOK)
		for line := range strings.Lines(r.out) {
			var l output.Letter
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			if status[l.ID] != "" {
				t.Errorf("%s is told twice", l.ID)
			}
			status[l.ID] = l.Status
		}
		want := map[string]string{w.letter(0).ID(): "open", w.letter(1).ID(): "open", w.letter(2).ID(): "replayed"}
		if !maps.Equal(status, want) {
			t.Errorf("%v tells %v, want %v", args, status, want)
		}
	}
	partition := fmt.Sprint(w.read(w.cfg.Topics.DeadLetters)[0].Partition)
	r := w.dlq("tail", "--since", "2026-01-01", "--partition", partition, "--to-offset", "1", "-o", "json").want(t, exitOK)
	for line := range strings.Lines(r.out) {
		var l output.Letter
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.DeadLetter.Offset != 0 {
			t.Errorf("tells %s, %v", line, err)
		}
	}
	w.dlq("tail", "--until", "2026-03-01").want(t, exitOK)
}

func TestRecentIsBounded(t *testing.T) {
	var r recent
	digest := func(n int) letters.Digest { return letters.DigestOf(fmt.Sprint(n)) }
	for n := range 3 * maxRecent {
		if r.before(digest(n)) || !r.before(digest(n)) {
			t.Fatalf("%d is taken for another", n)
		}
	}
	if held := len(r.young) + len(r.old); held > 2*maxRecent {
		t.Errorf("%d are held", held)
	}
}
