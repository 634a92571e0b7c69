// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/schemas/golden"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
)

// ids lists the IDs that dlq list prints.
func (w *world) ids(args ...string) []string {
	w.Helper()
	r := w.dlq(append([]string{"list", "-o", "json"}, args...)...).want(w, exitOK)
	var ids []string
	for line := range strings.Lines(r.out) {
		var l output.Letter
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			w.Fatal(err)
		}
		ids = append(ids, l.ID)
	}
	return ids
}

func TestListFilters(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.letter(1), w.letter(2), w.event(3)
	b.Reason, b.LastFailedAt = reason.MalformedBody, day.Add(time.Hour)
	b.Headers.Set(header.Tenant, "acme")
	b.Headers.Set(header.Provider, "github")
	b.Headers.Set(header.Type, "orders/create")
	w.write(a, b, c)

	cases := map[string]struct {
		args []string
		want []*record.DeadLetter
	}{
		"all":               {nil, []*record.DeadLetter{b, c, a}},
		"stage":             {[]string{"--stage", "sink"}, []*record.DeadLetter{c}},
		"provider":          {[]string{"--provider", "github"}, []*record.DeadLetter{b}},
		"providers":         {[]string{"--provider", "github,stripe"}, []*record.DeadLetter{b, c, a}},
		"tenant":            {[]string{"--tenant", "acme"}, []*record.DeadLetter{b}},
		"type":              {[]string{"--type", "charge.*"}, []*record.DeadLetter{c, a}},
		"types":             {[]string{"--type", "*", "--reason", "malformed_body"}, []*record.DeadLetter{b}},
		"type with a slash": {[]string{"--type", "orders*"}, []*record.DeadLetter{b}},
		"slashes in globs":  {[]string{"--type", "*/cre[a-z]te"}, []*record.DeadLetter{b}},
		"reason":            {[]string{"--reason", "malformed_body"}, []*record.DeadLetter{b}},
		"business key":      {[]string{"--key", "pi_1"}, []*record.DeadLetter{a}},
		"record key":        {[]string{"--key", "default/stripe/pi_3"}, []*record.DeadLetter{c}},
		"event id":          {[]string{"--event-id", "evt_2"}, []*record.DeadLetter{b}},
		"since":             {[]string{"--since", "2026-03-01T10:00:00Z"}, []*record.DeadLetter{b}},
		"until":             {[]string{"--until", "2026-03-01T09:02:00Z"}, []*record.DeadLetter{a}},
		"since an age":      {[]string{"--since", "1h"}, nil},
		"two flags":         {[]string{"--stage", "transform", "--type", "charge.*"}, []*record.DeadLetter{a}},
		"newest":            {[]string{"--limit", "1"}, []*record.DeadLetter{b}},
		"nothing discarded": {[]string{"--status", "discarded"}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, d := range tc.want {
				want = append(want, d.ID())
			}
			if got := w.ids(tc.args...); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
	if got := w.ids("--limit", "0"); len(got) != 3 {
		t.Errorf("--limit 0 lists %v", got)
	}
}

func TestListRefusesFiltersThatNeverMatch(t *testing.T) {
	w := newWorld(t)
	for flag, want := range map[string]string{
		"--stage=edge": "want one of", "--reason=mapping_faild": "mapping_failed",
		"--type=[": "syntax error", "--since=yesterday": "is not a time", "--status=done": "must be one of",
		"--limit=-1": "must not be negative",
	} {
		w.dlq("list", flag).want(t, exitUsage, want)
	}
	w.dlq("list", "--since=2026-01-02", "--until=2026-01-01").want(t, exitUsage, "--since is not before --until")
}

func TestCopiesOfOneFailureShowOnce(t *testing.T) {
	w := newWorld(t)
	first, second := w.letter(1), w.letter(1)
	second.LastFailedAt = second.LastFailedAt.Add(time.Second)
	w.write(first, second)
	if got := w.ids("--status", "all"); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

func TestListSkipsForeignRecordsAndTrailingMarkers(t *testing.T) {
	w := newWorld(t)
	w.write(w.letter(1))
	w.produce(&kgo.Record{Topic: w.cfg.Topics.DeadLetters, Value: []byte("\x1b[2Jgotcha")})
	// An aborted and a committed transaction at the end: the last offsets of
	// the topic hold markers and records that nobody may see.
	for i, try := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		tx, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Brokers...), kgo.TransactionalID(w.cfg.Topics.DeadLetters+"test"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(t.Context(), w.letter(i+2).Record(w.cfg.Topics.DeadLetters)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := tx.EndTransaction(t.Context(), try); err != nil {
			t.Fatal(err)
		}
		tx.Close()
	}
	if got, want := w.ids(), []string{w.letter(2).ID(), w.letter(1).ID()}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.dlq("list").want(t, exitOK, "skipped 1 records", "header __connect.errors.stage is missing")
}

func TestListFormats(t *testing.T) {
	w := newWorld(t)
	long := w.letter(123456789)
	long.Headers.Set(header.Provider, "a-provider-with-a-long-name")
	long.Headers.Set(header.Type, "customer.subscription.pending_update_applied")
	long.Reason = "a_reason_from_the_future"
	long.LastFailedAt = day.Add(time.Second)
	evil := w.letter(2)
	evil.Headers.Set(header.Type, "a\x1b[31mred\r\n\u202etxt\xff\u009b")
	w.write(w.letter(1), evil, w.event(3), long)
	w.dlq("discard", "--event-id", "evt_1", "--why", "test", "--yes").want(t, exitOK)

	terminal := &console.Console{OutTerminal: true, NoColor: true}
	wide := *terminal
	wide.Columns = 120
	r := w.with(&wide, "list", "--status", "all").want(t, exitOK)
	for line := range strings.Lines(r.out) {
		if n := len([]rune(line)); n > 120+1 {
			t.Errorf("%d columns: %s", n, line)
		}
		if !strings.Contains(line, "FAILED AT") && !strings.Contains(line, "2026-03-01 ") {
			t.Errorf("a dead letter takes more than a line: %s", line)
		}
	}
	if w.broker.Embedded() {
		golden.Check(t, filepath.Join("testdata", "golden", "list.wide.txt"), []byte(r.out))
	}
	w.golden("list.table.txt", w.with(terminal, "list", "--status", "all").want(t, exitOK).out)
	tsv := w.dlq("list").want(t, exitOK).out
	for line := range strings.Lines(tsv) {
		if n := strings.Count(line, "\t"); n != 10 {
			t.Errorf("%d tabs in %q", n, line)
		}
	}
	for _, format := range []string{"table", "tsv", "json"} {
		out := w.dlq("list", "-o", format).want(t, exitOK).out
		if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == '\u202e' || r == '\u009b' }); i >= 0 {
			t.Errorf("%s lets a control character through: %q", format, out[i:])
		}
	}
	w.with(&console.Console{OutTerminal: true}, "list").want(t, exitOK, "\x1b[33mopen\x1b[0m")
}

func TestListSaysThatNothingMatches(t *testing.T) {
	w := newWorld(t)
	r := w.dlq("list").want(t, exitOK, "no dead letter matches (status open)")
	if r.out != "" {
		t.Errorf("standard output is %q", r.out)
	}
}

func TestListNeedsKafkaAndTopics(t *testing.T) {
	w := newWorld(t)
	w.cfg.Topics.DeadLetters = "nowhere"
	w.dlq("list").want(t, exitFailed, "topic nowhere does not exist", "HOOKSTREAM_TOPIC_*")
	var out, errs bytes.Buffer
	c := &console.Console{Out: &out, Err: &errs}
	code := Main(t.Context(), c, []string{"list", "--brokers", "127.0.0.1:1"})
	if code != exitFailed || !strings.Contains(errs.String(), "cannot reach Kafka at 127.0.0.1:1 (HOOKSTREAM_BROKERS)") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// TestWhatIsBehindAnOpenTransactionIsSaid, by what looks and by what changes.
func TestWhatIsBehindAnOpenTransactionIsSaid(t *testing.T) {
	w := newWorld(t)
	first := w.letter(1)
	w.write(first)
	tx, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Brokers...), kgo.TransactionalID(w.cfg.Topics.DeadLetters+"test"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := tx.ProduceSync(t.Context(), w.letter(2).Record(w.cfg.Topics.DeadLetters)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	const said = "left out up to 1 records of "
	w.dlq("list", "--event-id", "evt_2").want(t, exitOK, "no dead letter matches", said)
	w.dlq("show", w.letter(2).ID()).want(t, exitPartial, said)
	w.dlq("replay", "--event-id", "evt_2", "--yes").want(t, exitPartial, said)
	if err := tx.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if r := w.dlq("list").want(t, exitOK, w.letter(2).ID()); strings.Contains(r.err, "left out") {
		t.Errorf("nothing is left out any more: %s", r.err)
	}
}
