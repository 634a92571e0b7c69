// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/reason"
)

func TestStats(t *testing.T) {
	w := newWorld(t)
	w.many(20)
	malformed := w.letter(40)
	malformed.Reason, malformed.Message = reason.MalformedBody, "line 7, column 12: unexpected end"
	w.write(w.event(30), malformed)
	w.dlq("discard", w.letter(3).ID(), "--why", "test", "--yes").want(t, exitOK)
	w.dlq("replay", w.letter(4).ID(), w.letter(5).ID(), "--yes").want(t, exitOK)

	w.golden("stats.table.txt", w.dlq("stats").want(t, exitOK).out)
	var got output.Summary
	if err := json.Unmarshal([]byte(w.dlq("stats", "-o", "json").want(t, exitOK).out), &got); err != nil {
		t.Fatal(err)
	}
	if got.Open != 19 || got.Replayed != 2 || got.Discarded != 1 || got.Kinds != 3 {
		t.Errorf("got %+v", got)
	}
	largest := got.Groups[0]
	if ids := w.ids("--fingerprint", largest.Fingerprint[:6], "--limit", "0"); len(ids) != 17 || largest.Open != 17 {
		t.Errorf("stats says %d are open, list finds %d", largest.Open, len(ids))
	}
	var again output.Summary
	if err := yaml.Load([]byte(w.dlq("stats", "-o", "yaml").want(t, exitOK).out), &again); err != nil {
		t.Error(err)
	}
	w.dlq("stats", "--limit", "1").want(t, exitOK, "of 3 kinds", "--limit 0 shows all")
	w.dlq("stats", "--provider", "nobody").want(t, exitOK, "no dead letter matches")
	w.dlq("stats", "--limit=-1").want(t, exitUsage, "must not be negative")
	w.dlq("list", "--fingerprint", "xyz").want(t, exitUsage, "hexadecimal")
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	ids := w.many(10)
	twin := w.letter(11) // fails at the moment of another
	twin.LastFailedAt = day.Add(5 * time.Minute)
	w.write(twin)
	ids = append(ids, twin.ID())
	seen := map[string]int{}
	args := []string{"list", "--limit", "3", "-o", "tsv"}
	for range 10 {
		r := w.dlq(args...).want(t, exitOK)
		for line := range strings.Lines(r.out) {
			if id, _, _ := strings.Cut(line, "\t"); id != "id" {
				seen[id]++
			}
		}
		_, next, more := strings.Cut(strings.TrimSpace(r.err), "next page: ")
		if !more {
			break
		}
		args = append([]string{"list", "--limit", "3", "-o", "tsv"}, strings.Fields(next)...)
	}
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("%s is on %d pages", id, seen[id])
		}
	}
	w.dlq("list", "--cursor", "nonsense").want(t, exitUsage, "was not printed by dlq list")
}

func TestOffsets(t *testing.T) {
	w := newWorld(t)
	w.many(10)
	all := w.ids("--limit", "0", "--partition", "1")
	if some := w.ids("--limit", "0", "--partition", "1", "--from-offset", "1", "--to-offset", "3"); len(all) < 4 || len(some) != 2 {
		t.Errorf("of %v: %v", all, some)
	}
	w.dlq("list", "--from-offset", "3", "--to-offset", "3").want(t, exitUsage, "from < to")
}

func TestYAMLIsWhatJSONSays(t *testing.T) {
	w := newWorld(t)
	odd := w.letter(1)
	odd.Message = "true: 12\n- \"x\"\u202e # no"
	odd.ServiceVersion = "1.10"
	odd.Exception = "two\nlines"
	w.write(odd)
	var fromYAML, fromJSON map[string]any
	if err := yaml.Load([]byte(w.dlq("list", "-o", "yaml").want(t, exitOK).out), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(w.dlq("list", "-o", "json").want(t, exitOK).out), &fromJSON); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "message", "service_version", "exception", "fingerprint"} {
		if fromYAML[name] != fromJSON[name] {
			t.Errorf("%s: %q in YAML, %q in JSON", name, fromYAML[name], fromJSON[name])
		}
	}
}

func TestRedactedShowHasNoValues(t *testing.T) {
	w := newWorld(t)
	d := w.letter(1)
	d.Value = []byte(`{"card":{"number":"4242424242424242","ok":true,"tags":["secret",1,null]}}`)
	d.Headers.Add("hookstream-request-x-token", "secret")
	w.write(d)
	for _, format := range []string{"table", "json", "yaml"} {
		r := w.dlq("show", d.ID(), "--redact", "-o", format).want(t, exitOK, "card", "number")
		if strings.Contains(r.out, "4242") || strings.Contains(r.out, "secret") {
			t.Errorf("%s shows %s", format, r.out)
		}
	}
	w.dlq("show", d.ID(), "--redact").want(t, exitOK, fmt.Sprintf("Payload, %d bytes", len(d.Value)))
	w.dlq("replay", d.ID(), "--patch", `.card.number = "4242" | .card.tags[0] = "no secret"`, "--yes").want(t, exitOK)
	for _, format := range []string{"table", "json", "yaml"} {
		r := w.dlq("show", d.ID(), "--redact", "-o", format).want(t, exitOK, "replayed")
		if strings.Contains(r.out, "4242") || strings.Contains(r.out, "secret") {
			t.Errorf("%s of what was edited shows %s", format, r.out)
		}
	}
	d = w.letter(2)
	d.Value = []byte("secret=1")
	w.write(d)
	if r := w.dlq("show", d.ID(), "--redact").want(t, exitOK, "no JSON"); strings.Contains(r.out, "secret") {
		t.Error(r.out)
	}
}

// TestRedactedShowOfOtherPrograms takes the values of whatever headers they have,
// and the key.
func TestRedactedShowOfOtherPrograms(t *testing.T) {
	w := newWorld(t)
	topic := w.broker.CreateTopic(t, 1, "theirs")
	w.produce(&kgo.Record{Topic: topic, Key: []byte("secret"), Value: []byte(`{"a":"secret"}`), Headers: []kgo.RecordHeader{
		{Key: "__connect.errors.topic", Value: []byte("orders")}, {Key: "__connect.errors.partition", Value: []byte("2")},
		{Key: "__connect.errors.offset", Value: []byte("7")}, {Key: "x-card", Value: []byte("secret")},
	}})
	for _, format := range []string{"table", "json", "yaml"} {
		r := w.dlq("show", "connect:orders/2/7", "--topic", topic, "--redact", "-o", format).want(t, exitOK, "x-card", "6 bytes")
		if strings.Contains(r.out, "secret") {
			t.Errorf("%s shows %s", format, r.out)
		}
	}
}
