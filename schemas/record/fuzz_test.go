// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/identity"
)

// flat writes headers as one text, for the fuzzer to change.
func flat(headers []kgo.RecordHeader) string {
	var parts []string
	for _, h := range headers {
		parts = append(parts, h.Key, string(h.Value))
	}
	return strings.Join(parts, "\n")
}

// unflat is the record with these headers, as read from raw/2/7.
func unflat(key, value []byte, headers string) *kgo.Record {
	r := &kgo.Record{Topic: "raw", Partition: 2, Offset: 7, Key: key, Value: value}
	parts := strings.Split(headers, "\n")
	for i := 0; i+1 < len(parts); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: parts[i], Value: []byte(parts[i+1])})
	}
	return r
}

func add(f *testing.F, r *kgo.Record) { f.Add(r.Key, r.Value, flat(r.Headers)) }

// Every fuzz test holds a parser to an error or a value, never a panic, and what
// it accepts to the same value after writing and reading it again.

func FuzzParseWebhook(f *testing.F) {
	add(f, webhook().Record("raw"))
	add(f, minimalWebhook().Record("raw"))
	if r, err := deadLetter().Replay("raw", "r"); err == nil {
		add(f, r)
	}
	f.Fuzz(func(t *testing.T, key, value []byte, headers string) {
		got, err := ParseWebhook(unflat(key, value, headers))
		if err != nil {
			return
		}
		again, err := ParseWebhook(at(got.Record("raw"), 2, 7))
		if err != nil {
			t.Fatal(err)
		}
		// Set by the reader, from what replay adds.
		again.Position, again.ReplayCount = got.Position, got.ReplayCount
		if !reflect.DeepEqual(again, got) {
			t.Fatalf("got %+v, then %+v", got, again)
		}
	})
}

func FuzzParseEvent(f *testing.F) {
	e := &Event{Entity: "payment", Tenant: "t", Provider: "p", EventID: "1", EventType: "a", BusinessKey: "k", ReceivedAt: received, CorrelationID: "c", EntityID: "k/1", Value: []byte{0}}
	add(f, eventRecord("raw", e))
	f.Fuzz(func(t *testing.T, key, value []byte, headers string) {
		got, err := ParseEvent(unflat(key, value, headers))
		if err != nil {
			return
		}
		again, err := ParseEvent(at(eventRecord("raw", got), 2, 7))
		if err != nil {
			t.Fatal(err)
		}
		again.Origin, again.ReplayCount = got.Origin, got.ReplayCount
		if !reflect.DeepEqual(again, got) {
			t.Fatalf("got %+v, then %+v", got, again)
		}
	})
}

func FuzzParseDeadLetter(f *testing.F) {
	add(f, deadLetter().Record("dlq"))
	if r, err := deadLetter().Replay("raw", "r"); err == nil {
		d := deadLetter()
		d.Headers = r.Headers
		add(f, d.Record("dlq"))
	}
	f.Fuzz(func(t *testing.T, key, value []byte, headers string) {
		got, err := ParseDeadLetter(unflat(key, value, headers))
		if err != nil {
			return
		}
		again, err := ParseDeadLetter(got.Record("dlq"))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Message) > maxMessage || !utf8.ValidString(got.Message) {
			again.Message = got.Message // cut, and made valid
		}
		if !reflect.DeepEqual(again, got) {
			t.Fatalf("got %+v, then %+v", got, again)
		}
		replayed, err := got.Replay("raw", "r")
		if err != nil {
			return
		}
		if n, err := intHeader(replayed.Headers, header.ReplayCount, 64); err != nil || n < 1 {
			t.Fatalf("replay count %d, %v", n, err)
		}
		if first, err := originOf(replayed); err != nil || first.Offset < 0 {
			t.Fatalf("origin %v, %v", first, err)
		}
	})
}

func FuzzParseResolution(f *testing.F) {
	f.Add([]byte("a"), []byte(`{"dead_letter_id":"a","action":"replayed","by":"b","at":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte("a"), []byte(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		got, err := ParseResolution(&kgo.Record{Key: key, Value: value})
		if err != nil || got == nil {
			return
		}
		r, err := got.Record("res")
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseResolution(r)
		if err != nil {
			t.Fatal(err)
		}
		if !again.At.Equal(got.At) {
			t.Fatalf("got %s, then %s", got.At, again.At)
		}
		again.At = got.At // the same moment may be written with another zone
		if !reflect.DeepEqual(again, got) {
			t.Fatalf("got %+v, then %+v", got, again)
		}
	})
}

func FuzzParseDedup(f *testing.F) {
	f.Add(DedupRecord("dedup", "raw", 1, time.Now(), []DedupEntry{{identity.Of("t", "p", "1"), identity.Mark{1}}}).Value)
	f.Add([]byte{1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		got, err := ParseDedup(&kgo.Record{Value: value})
		if err != nil {
			return
		}
		if again := DedupRecord("dedup", "raw", 0, time.Now(), got).Value; !bytes.Equal(again, value) {
			t.Fatalf("got %x, then %x", value, again)
		}
	})
}
