// SPDX-License-Identifier: Apache-2.0

package event

import (
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	anyText = rapid.String()
	anyTime = rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "µs")).UTC()
	})
)

func fieldValue(t *rapid.T, f *Field) any {
	switch f.Kind {
	case Long:
		return rapid.Int64().Draw(t, f.Name)
	case Boolean:
		return rapid.Bool().Draw(t, f.Name)
	case Double:
		return rapid.Float64().Filter(func(x float64) bool { return !math.IsNaN(x) }).Draw(t, f.Name)
	case Timestamp:
		return anyTime.Draw(t, f.Name)
	case StringArray:
		return rapid.SliceOf(anyText).Draw(t, f.Name)
	case StringMap:
		return rapid.MapOf(anyText, anyText).Draw(t, f.Name)
	}
	return anyText.Draw(t, f.Name)
}

func TestAvroRoundTrip(t *testing.T) {
	for _, e := range Entities() {
		dec, err := e.Decoder(e.Schema())
		if err != nil {
			t.Fatal(err)
		}
		library := &Decoder{entity: e, schema: e.codec.parsed}
		t.Run(e.Name, rapid.MakeCheck(func(t *rapid.T) {
			want := &Event{Entity: e.Name, ID: anyText.Draw(t, "id"), Fields: make([]any, len(e.Fields)), Meta: Meta{
				EventID: anyText.Draw(t, "event id"), EventType: anyText.Draw(t, "type"), Provider: "p", Tenant: "t", BusinessKey: "k",
				OccurredAt: anyTime.Draw(t, "occurred"), ReceivedAt: anyTime.Draw(t, "received"),
				Version:       Version{rapid.Int64().Draw(t, "order"), 1, rapid.Int64().Draw(t, "offset"), rapid.Int32().Draw(t, "revision")},
				CorrelationID: "c", RawTopic: "raw", RawPartition: rapid.Int32().Draw(t, "partition"), RawOffset: rapid.Int64().Draw(t, "raw offset"),
				Deleted: rapid.Bool().Draw(t, "deleted"),
			}}
			if rapid.Bool().Draw(t, "grouped") {
				want.Meta.Groups = []string{e.Name}
			}
			for i := range e.Fields {
				// extra is not nullable; an absent one comes back empty.
				if f := &e.Fields[i]; f.Name == "extra" || rapid.Bool().Draw(t, "has "+f.Name) {
					want.Fields[i] = fieldValue(t, f)
				}
			}
			data, err := e.AppendEncode(nil, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := dec.Decode(data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if read, err := library.Decode(data); err != nil || !reflect.DeepEqual(read, want) {
				t.Fatalf("the library reads %+v, %v, want %+v", read, err, want)
			}
			if _, err := dec.Decode(append(data, 0)); err == nil {
				t.Fatal("a byte after the record was accepted")
			}
		}))
	}
}

func TestDecodeOfAnotherWriterVersion(t *testing.T) {
	e, _ := Lookup("customer")
	// A writer that does not know email yet, and knows a field that we do not.
	older := strings.Replace(e.Schema(), `"name":"email"`, `"name":"fax"`, 1)
	if older == e.Schema() {
		t.Fatal("customer has no email: correct the test")
	}
	writer := &Entity{Name: "customer", Fields: slices.Clone(e.Fields)}
	for i := range writer.Fields {
		if writer.Fields[i].Name == "email" {
			writer.Fields[i].Name = "fax"
		}
	}
	written := &Event{Entity: "customer", ID: "1"}
	for name, v := range map[string]any{"email": "the fax", "name": "n", "extra": map[string]string{}} {
		written.SetField(name, v)
	}
	data, err := writer.AppendEncode(nil, written)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := e.Decoder(older)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dec.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	fields := maps.Collect(got.Named())
	if want := map[string]any{"name": "n", "extra": map[string]string{}}; !reflect.DeepEqual(fields, want) {
		t.Errorf("got %v, want %v", fields, want)
	}
	if err := CheckCompatible(older, e.Schema()); err != nil {
		t.Errorf("the versions are compatible, but: %v", err)
	}
	retyped := strings.Replace(e.Schema(), `"name":"fax"`, `"name":"email"`, 1)
	if retyped = strings.Replace(retyped, `["null","string"]`, `["null","long"]`, 1); retyped == e.Schema() {
		t.Fatal("customer has no nullable string: correct the test")
	}
	if err := CheckCompatible(retyped, e.Schema()); err == nil {
		t.Error("a field of another type is compatible")
	}
}

func TestEncodeRefusesValuesOfAnotherKind(t *testing.T) {
	e, _ := Lookup("payment")
	for field, v := range map[string]any{"amount": "1", "status": int64(1), "created_at": int64(1), "extra": []string{"x"}, "test": "true"} {
		ev := &Event{Entity: "payment", ID: "1"}
		ev.SetField(field, v)
		data, err := e.AppendEncode([]byte("before"), ev)
		if err == nil || !strings.Contains(err.Error(), "field "+field) || string(data) != "before" {
			t.Errorf("%s: got %q, %v", field, data, err)
		}
	}
}

// FuzzDecode holds our reading to the library's.
func FuzzDecode(f *testing.F) {
	e, _ := Lookup("payment")
	ours, err := e.Decoder(e.Schema())
	if err != nil {
		f.Fatal(err)
	}
	library := &Decoder{entity: e, schema: e.codec.parsed}
	for _, fields := range []map[string]any{
		{"amount": int64(1), "extra": map[string]string{"a": "b"}},
		{"created_at": time.UnixMicro(1).UTC(), "test": true, "status": "paid"},
	} {
		seed, err := e.AppendEncode(nil, payment(fields))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ours.Decode(data)
		want, wantErr := library.Decode(data)
		if (err == nil) != (wantErr == nil) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v\nthe library reads %+v, %v", got, err, want, wantErr)
		}
	})
}
