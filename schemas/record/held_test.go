// SPDX-License-Identifier: Apache-2.0

package record

import (
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/header"
	"github.com/hookstream/hookstream/schemas/reason"
)

func heldWebhook() *Held {
	raw := webhook().Record("hookstream.raw")
	raw.Partition, raw.Offset = 3, 1234
	return &Held{
		Raw: raw, Since: received.Add(time.Second), Reason: reason.MappingFailed,
		Message: `events[0].fields.amount: expected a number, got "žlutý"`,
	}
}

func TestHeldGolden(t *testing.T) {
	h := heldWebhook()
	goldenFile(t, "held", h.Record("hookstream.held"))
	h.Reason, h.Message = "", "waits for earlier records of its key"
	goldenFile(t, "held-behind", h.Record("hookstream.held"))
}

// TestHeldRoundTrip: what is read back is the raw record, place and time included,
// whatever it was, and a release of it is told from one without a value.
func TestHeldRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := &kgo.Record{
			Topic: "raw", Partition: rapid.Int32Range(0, 100).Draw(t, "partition"), Offset: rapid.Int64Range(0, 1<<50).Draw(t, "offset"),
			Key: rapid.SliceOf(rapid.Byte()).Draw(t, "key"), Timestamp: received,
			Value: rapid.SampledFrom([][]byte{nil, {}, []byte("{}")}).Draw(t, "value"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			raw.Headers = append(raw.Headers, kgo.RecordHeader{Key: rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "name"), Value: []byte(rapid.String().Draw(t, "text"))})
		}
		want := &Held{Raw: raw, Since: received, Reason: reason.Code(rapid.SampledFrom([]string{"", "mapping_failed"}).Draw(t, "reason")), Message: "m"}
		stored := want.Record("held")
		(*header.List)(&stored.Headers).Put(header.TransactionID, []byte("tx"))
		got, err := ParseHeld(stored)
		if err != nil || got == nil {
			t.Fatal(got, err)
		}
		if stored.Partition != raw.Partition || string(got.Raw.Key) != string(raw.Key) || string(got.Raw.Value) != string(raw.Value) ||
			PositionOf(got.Raw) != PositionOf(raw) || !got.Raw.Timestamp.Equal(raw.Timestamp) || len(got.Raw.Headers) != len(raw.Headers) ||
			len(raw.Headers) > 0 && !reflect.DeepEqual(header.List(got.Raw.Headers), header.List(raw.Headers)) ||
			!got.Since.Equal(want.Since) || got.Reason != want.Reason || got.Message != want.Message {
			t.Fatalf("got %+v of %+v", got, got.Raw)
		}
		release := Release(stored)
		if string(release.Key) != string(stored.Key) || release.Partition != stored.Partition || release.Value != nil {
			t.Fatalf("release %+v of %+v", release, stored)
		}
		if h, err := ParseHeld(release); h != nil || err != nil {
			t.Fatalf("a release is read as %+v, %v", h, err)
		}
	})
}

func TestHeldAgainIsAnotherRecord(t *testing.T) {
	h := heldWebhook()
	first := h.Record("held")
	h.Since = h.Since.Add(time.Millisecond)
	if string(first.Key) == string(h.Record("held").Key) {
		t.Error("a topic that was made anew would replace what is held")
	}
}

func TestParseHeldRefuses(t *testing.T) {
	for _, name := range []string{header.HeldTopic, header.HeldPartition, header.HeldOffset, header.HeldSince} {
		r := heldWebhook().Record("held")
		(*header.List)(&r.Headers).Delete(name)
		if _, err := ParseHeld(r); err == nil {
			t.Errorf("a record without %s was read", name)
		}
	}
}
