// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestVersionOrder(t *testing.T) {
	// Each is newer than all before it.
	ascending := []Version{
		{Order: 1, Generation: 1, Offset: 9, Revision: 9},
		{Order: 2, Generation: 1, Offset: 5, Revision: 1},
		{Order: 2, Generation: 1, Offset: 5, Revision: 2},
		{Order: 2, Generation: 1, Offset: 6, Revision: 1},
		{Order: 2, Generation: 2, Offset: 0, Revision: 1},
		{Order: 3},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.Compare(b); sign(got) != sign(i-j) {
				t.Errorf("%+v against %+v: %d", a, b, got)
			}
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestVersionOrderIsTotal(t *testing.T) {
	small := rapid.Int64Range(-1, 1)
	version := rapid.Custom(func(t *rapid.T) Version {
		return Version{small.Draw(t, "order"), int32(small.Draw(t, "generation")), small.Draw(t, "offset"), int32(small.Draw(t, "revision"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
		if sign(a.Compare(b)) != -sign(b.Compare(a)) {
			t.Fatal("not antisymmetric")
		}
		if (a.Compare(b) == 0) != (a == b) {
			t.Fatal("different versions are equal")
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatal("not transitive")
		}
	})
}

func payment(fields map[string]any) *Event {
	ev := &Event{Entity: "payment", ID: "pi_1"}
	for name, v := range fields {
		ev.SetField(name, v)
	}
	return ev
}

func TestDigestTellsDataApart(t *testing.T) {
	e, _ := Lookup("payment")
	generic, _ := Lookup(Generic)
	at := time.UnixMicro(1).UTC()
	events := map[string]*Event{
		"nothing":       payment(nil),
		"empty string":  payment(map[string]any{"description": ""}),
		"zero":          payment(map[string]any{"amount": int64(0)}),
		"other field":   payment(map[string]any{"amount_received": int64(0)}),
		"false":         payment(map[string]any{"charge_captured": false}),
		"true":          payment(map[string]any{"charge_captured": true}),
		"text of zero":  payment(map[string]any{"description": "0"}),
		"time":          payment(map[string]any{"created_at": at}),
		"map":           payment(map[string]any{"extra": map[string]string{}}),
		"map of empty":  payment(map[string]any{"extra": map[string]string{"": ""}}),
		"map of a, b":   payment(map[string]any{"extra": map[string]string{"a": "b"}}),
		"map of ab":     payment(map[string]any{"extra": map[string]string{"ab": ""}}),
		"other id":      {Entity: "payment", ID: "pi_2"},
		"deleted":       {Entity: "payment", ID: "pi_1", Meta: Meta{Deleted: true}},
		"array of a, b": payment(map[string]any{"description": []string{"a", "b"}}),
		"array of ab":   payment(map[string]any{"description": []string{"ab"}}),
	}
	for _, name := range []string{"amount", "amount_received", "description", "charge_captured", "created_at", "extra"} {
		if _, ok := e.Field(name); !ok {
			t.Fatalf("payment has no field %s: correct the test", name)
		}
	}
	seen := map[[32]byte]string{}
	for name, ev := range events {
		d := e.Digest(ev)
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have the same digest", name, other)
		}
		seen[d] = name
	}
	if seen[generic.Digest(payment(nil))] != "" {
		t.Error("the entity's name is not part of the digest")
	}
}

func TestDigestIgnoresTheDelivery(t *testing.T) {
	e, _ := Lookup("payment")
	a := payment(map[string]any{"amount": int64(1), "description": nil, "extra": map[string]string{"a": "1", "b": "2", "c": "3"}})
	want := e.Digest(a)
	b := payment(map[string]any{"extra": map[string]string{"c": "3", "b": "2", "a": "1"}, "amount": int64(1)})
	b.Meta = Meta{EventID: "evt", ReceivedAt: time.Now(), CorrelationID: "c", RawOffset: 7, Version: Version{Order: 1}}
	for range 20 { // maps have no order
		if e.Digest(b) != want {
			t.Fatal("the delivery, the order of a map, or an explicit null changed the digest")
		}
	}
	generic, _ := Lookup(Generic)
	if generic.Digest(&Event{ID: "k/1", Fields: []any{"{}"}}) != generic.Digest(&Event{ID: "k/1", Fields: []any{"{ }"}}) {
		t.Error("the bytes of a generic payload changed the digest")
	}
}

// TestDigestIsStable pins the algorithm: digests are kept in the changelog, and
// a release that computes others would take every repeated delivery for a
// conflict.
func TestDigestIsStable(t *testing.T) {
	e := &Entity{Name: "thing", Fields: []Field{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}, {Name: "f"}}}
	got := e.Digest(&Event{ID: "1", Fields: []any{
		"x", int64(-2), true, time.UnixMicro(3), []string{"y", ""}, map[string]string{"k": "v", "j": "w"},
	}})
	if want := "46a667e5f6ab4eee1bac3ce943a591abc6f2f45dfe5613a5152f3e6fca9acc4a"; hex.EncodeToString(got[:]) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}
