// SPDX-License-Identifier: Apache-2.0

package record

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/body"
	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
	"github.com/hookstream/hookstream/schemas/reason"
)

var (
	name    = rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,8}`)
	text    = rapid.StringN(1, 20, -1)
	anyText = rapid.StringN(0, 20, -1)
	moment  = rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-62_000_000_000_000_000, 250_000_000_000_000_000).Draw(t, "µs")).UTC()
	})
	maybeMoment = rapid.OneOf(moment, rapid.Just(time.Time{}))
	place       = rapid.Custom(func(t *rapid.T) Position {
		return Position{text.Draw(t, "topic"), rapid.Int32Range(0, 1<<30).Draw(t, "partition"), rapid.Int64Range(0, 1<<60).Draw(t, "offset")}
	})
	anyRange = rapid.Custom(func(t *rapid.T) body.Range {
		start := rapid.IntRange(0, 1<<40).Draw(t, "start")
		return body.Range{Start: start, End: start + rapid.IntRange(0, 1<<30).Draw(t, "length")}
	})
	anyBatch = rapid.Custom(func(t *rapid.T) Batch {
		index := rapid.IntRange(1, 1<<20).Draw(t, "index")
		b := Batch{
			Index: index, Count: rapid.IntRange(index, 1<<21).Draw(t, "count"), Gap: string(rapid.SliceOf(rapid.Byte()).Draw(t, "gap")),
			Ranges: rapid.SliceOfN(anyRange, 1, 5).Draw(t, "ranges"),
		}
		copy(b.SHA256[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
		return b
	})
	anyWebhook = rapid.Custom(func(t *rapid.T) *Webhook {
		w := &Webhook{
			Tenant: name.Draw(t, "tenant"), Provider: name.Draw(t, "provider"), EventID: text.Draw(t, "event id"),
			IdentitySource: identity.Source(text.Draw(t, "source")), EventType: text.Draw(t, "type"), BusinessKey: text.Draw(t, "key"),
			OccurredAt: maybeMoment.Draw(t, "occurred"), Defect: reason.Code(anyText.Draw(t, "defect")), ReceivedAt: moment.Draw(t, "received"),
			CorrelationID: text.Draw(t, "correlation"), ContentType: anyText.Draw(t, "content type"),
			Verification: Verification{Scheme: anyText.Draw(t, "scheme"), KeyID: anyText.Draw(t, "key id")},
			Method:       anyText.Draw(t, "method"), URL: anyText.Draw(t, "url"), Batch: rapid.Ptr(anyBatch, true).Draw(t, "batch"),
			Request: rapid.MapOf(anyText, anyText).Draw(t, "request"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		if rapid.Bool().Draw(t, "sequenced") {
			n := rapid.Int64().Draw(t, "sequence")
			w.Sequence = &n
		}
		return w
	})
)

func TestWebhookRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, p := anyWebhook.Draw(t, "webhook"), place.Draw(t, "place")
		got, err := ParseWebhook(at(w.Record(p.Topic), p.Partition, p.Offset))
		w.Position = p
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("got %+v, %v, want %+v", got, err, w)
		}
	})
}

func TestEventRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := place.Draw(t, "place")
		want := &Event{
			Entity: text.Draw(t, "entity"), Tenant: name.Draw(t, "tenant"), Provider: name.Draw(t, "provider"),
			EventID: text.Draw(t, "event id"), EventType: text.Draw(t, "type"), BusinessKey: text.Draw(t, "key"),
			OccurredAt: maybeMoment.Draw(t, "occurred"), ReceivedAt: moment.Draw(t, "received"), CorrelationID: text.Draw(t, "correlation"),
			EntityID: anyText.Draw(t, "id"), Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value"), Origin: p,
		}
		got, err := ParseEvent(at(eventRecord(p.Topic, want), p.Partition, p.Offset))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

// eventRecord is the record that gives this envelope.
func eventRecord(topic string, e *Event) *kgo.Record {
	return EventRecord(topic, &event.Event{Entity: e.Entity, ID: e.EntityID, Meta: event.Meta{
		EventID: e.EventID, EventType: e.EventType, Provider: e.Provider, Tenant: e.Tenant, BusinessKey: e.BusinessKey,
		OccurredAt: e.OccurredAt, ReceivedAt: e.ReceivedAt, CorrelationID: e.CorrelationID,
	}}, e.Value)
}

func TestDeadLetterRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := anyWebhook.Draw(t, "webhook").Record("raw")
		want := &DeadLetter{
			Stage: Stage(text.Draw(t, "stage")), Failed: place.Draw(t, "failed"), Class: text.Draw(t, "class"), Reason: reason.Code(text.Draw(t, "reason")),
			Exception: anyText.Draw(t, "exception"), Message: anyText.Draw(t, "message"), Attempts: int(rapid.Int32().Draw(t, "attempts")),
			FirstFailedAt: moment.Draw(t, "first"), LastFailedAt: moment.Draw(t, "last"), ServiceVersion: anyText.Draw(t, "version"),
			Omitted: anyText.Draw(t, "omitted"), Key: r.Key, Value: r.Value, Headers: r.Headers,
		}
		got, err := ParseDeadLetter(want.Record("dlq"))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestDedupRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "entries")
		want := make([]DedupEntry, n)
		for i := range want {
			want[i].Fingerprint = identity.Of("t", "p", fmt.Sprint(rapid.Int().Draw(t, "id")))
			want[i].Mark = identity.NewMark([32]byte{rapid.Byte().Draw(t, "digest")}, rapid.Int32().Draw(t, "revision"))
		}
		got, err := ParseDedup(DedupRecord("dedup", "raw", 1, time.Now(), want))
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}

func TestDedupBatchesFitIntoARecord(t *testing.T) {
	for _, limit := range []int32{64 << 10, 1 << 20, 4 << 20} {
		n := MaxDedupEntries(limit)
		r := DedupRecord("dedup", "raw", 0, time.Now(), make([]DedupEntry, n))
		if size := len(r.Value) + len(r.Key) + 100; size > int(limit) || n < int(limit)/40 {
			t.Errorf("%d entries take %d of %d bytes", n, size, limit)
		}
	}
	if MaxDedupEntries(0) < 1 {
		t.Error("no entry fits")
	}
}

func TestReplayTakesFailureHeadersOff(t *testing.T) {
	d := deadLetter()
	parsed, err := ParseDeadLetter(d.Record("dlq"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parsed.Replay("hookstream.raw", "replay-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range r.Headers {
		if header.IsFailure(h.Key) {
			t.Errorf("%s is still there", h.Key)
		}
	}
	w, err := ParseWebhook(at(r, 5, 99))
	if err != nil {
		t.Fatal(err)
	}
	want := webhook()
	want.Position, want.ReplayCount = d.Failed, 1
	if !reflect.DeepEqual(w, want) {
		t.Errorf("got %+v, want %+v", w, want)
	}
}

func TestSecondReplayKeepsTheFirstOrigin(t *testing.T) {
	d := deadLetter()
	for n := 1; n <= 3; n++ {
		r, err := d.Replay("hookstream.raw", fmt.Sprintf("replay-%d", n))
		if err != nil {
			t.Fatal(err)
		}
		at(r, 3, int64(1000*n)) // read again, failed again
		if d, err = ParseDeadLetter((&DeadLetter{
			Stage: StageTransform, Failed: PositionOf(r), Class: "permanent", Reason: reason.MappingFailed,
			FirstFailedAt: received, LastFailedAt: received, Key: r.Key, Value: r.Value, Headers: r.Headers,
		}).Record("dlq")); err != nil {
			t.Fatal(err)
		}
		origin, err := d.Origin()
		if err != nil || origin != (Position{"hookstream.raw", 3, 42}) {
			t.Errorf("replay %d: origin %v, %v", n, origin, err)
		}
		id, _ := d.Headers.Get(header.ReplayID)
		if d.ReplayCount() != n || id != fmt.Sprintf("replay-%d", n) || d.ID() != fmt.Sprintf("transform:hookstream.raw/3/%d", 1000*n) {
			t.Errorf("replay %d: count %d, replay id %s, id %s", n, d.ReplayCount(), id, d.ID())
		}
		count := 0
		for _, h := range d.Headers {
			if h.Key == header.OriginTopic || h.Key == header.ReplayCount {
				count++
			}
		}
		if count != 2 {
			t.Errorf("replay %d: headers were appended: %v", n, d.Headers)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	omitted, damaged := deadLetter(), deadLetter()
	omitted.Omitted = "value of 9 bytes"
	damaged.Headers.Set(header.OriginTopic, "hookstream.raw")
	damaged.Headers.Set(header.OriginOffset, "-1")
	for want, d := range map[string]*DeadLetter{"lacks the record's value of 9 bytes": omitted, "a position is not negative": damaged} {
		if _, err := d.Replay("raw", "r"); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), d.ID()) {
			t.Errorf("got %v, want an error with %q and the ID", err, want)
		}
	}
}

func TestMessagesAreBounded(t *testing.T) {
	d := deadLetter()
	d.Message = strings.Repeat("é\xff", 5000)
	got, err := ParseDeadLetter(d.Record("dlq"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Message) > maxMessage+len("…") || !utf8.ValidString(got.Message) || !strings.HasSuffix(got.Message, "…") {
		t.Errorf("%d bytes: %.20q…", len(got.Message), got.Message)
	}
}

func TestParseErrorsNameTheHeader(t *testing.T) {
	with := func(r *kgo.Record, name, value string) *kgo.Record {
		l := header.List(r.Headers)
		l.Delete(name)
		l.AddSet(name, value)
		r.Headers = l
		return r
	}
	raw := func() *kgo.Record { return webhook().Record("raw") }
	dead := func() *kgo.Record { return deadLetter().Record("dlq") }
	key := func(r *kgo.Record, key string) *kgo.Record { r.Key = []byte(key); return r }
	parseWebhook := func(r *kgo.Record) error { _, err := ParseWebhook(r); return err }
	parseDead := func(r *kgo.Record) error { _, err := ParseDeadLetter(r); return err }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no version":       {parseWebhook(with(raw(), header.RecordVersion, "")), `header hookstream-record-version is "", want "1"`},
		"newer version":    {parseWebhook(with(raw(), header.RecordVersion, "2")), `is "2", want "1"`},
		"no tenant":        {parseWebhook(with(raw(), header.Tenant, "")), "header hookstream-tenant is missing"},
		"bad time":         {parseWebhook(with(raw(), header.Time, "yesterday")), `header ce_time: "yesterday" is not an RFC 3339 time`},
		"year 0":           {parseWebhook(with(raw(), header.ReceivedAt, "0000-01-01T00:00:00Z")), "header hookstream-received-at"},
		"bad sequence":     {parseWebhook(with(raw(), header.Sequence, "1.5")), "header hookstream-sequence"},
		"other key":        {parseWebhook(key(raw(), "default/stripe/pi_2")), "does not match header ce_partitionkey"},
		"other tenant":     {parseWebhook(key(raw(), "acme/stripe/pi_1")), `is not of tenant "default"`},
		"no key":           {parseWebhook(key(raw(), "")), "is not tenant/provider/id"},
		"negative origin":  {parseWebhook(with(with(raw(), header.OriginTopic, "raw"), header.OriginOffset, "-1")), "hookstream-origin-offset"},
		"no reason":        {parseDead(with(dead(), header.FailureReason, "")), "header hookstream-failure-reason is missing"},
		"no failed offset": {parseDead(with(dead(), header.ErrorOffset, "")), "header __connect.errors.offset is missing"},
		"huge partition":   {parseDead(with(dead(), header.ErrorPartition, "2147483648")), "not an integer of 32 bits"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, c.err, c.want)
		}
	}
}

func TestResolutionTombstonesAndStrangers(t *testing.T) {
	if r, err := ParseResolution(&kgo.Record{Key: []byte("a")}); r != nil || err != nil {
		t.Errorf("a tombstone gives %v, %v", r, err)
	}
	for _, value := range []string{"", "{", `{"dead_letter_id":"b"}`, "[]"} {
		if _, err := ParseResolution(&kgo.Record{Topic: "res", Key: []byte("a"), Value: []byte(value)}); err == nil || !strings.Contains(err.Error(), "res/0/0") {
			t.Errorf("%q: got %v, want an error with the position", value, err)
		}
	}
}

// TestResolutionKeepsWhatWasBefore in few bytes.
func TestResolutionKeepsWhatWasBefore(t *testing.T) {
	var last *Resolution
	for range 3 * MaxPrevious {
		r := &Resolution{DeadLetterID: "a", Why: strings.Repeat("ü", 5000), Edit: &Edit{Patch: strings.Repeat(".", 16<<10), Diff: strings.Repeat("-", 32<<10)}}
		r.Replaces(last)
		last = r
	}
	n := 0
	for p := last.Previous; p != nil; p = p.Previous {
		n++
		if p.Edit.Diff != "" || len(p.Why) > maxPreviousText || len(p.Edit.Patch) > maxPreviousText || !utf8.ValidString(p.Why) {
			t.Errorf("the %d. before says %q", n, p.Why)
		}
	}
	if n != MaxPrevious {
		t.Errorf("%d are kept, want %d", n, MaxPrevious)
	}
}
