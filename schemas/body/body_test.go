// SPDX-License-Identifier: Apache-2.0

package body

import (
	"encoding/json"
	"maps"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	got, err := Decode([]byte(`{"id":9007199254740993,"big":123456789012345678901234567890,"f":1.5,"s":"é\u00e9","a":[true,false,null],"o":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	big123, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	want := map[string]any{
		"id": 9007199254740993, "big": big123, "f": 1.5, "s": "éé",
		"a": []any{true, false, nil}, "o": map[string]any{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
}

func TestRefusals(t *testing.T) {
	cases := map[string]struct{ body, want string }{
		"empty":          {"", "ends in the middle"},
		"truncated":      {`{"a":[1,2`, "ends in the middle"},
		"syntax":         {`{"a":nope}`, "not valid JSON at byte"},
		"duplicate name": {`{"a":1,"a":2}`, "repeats an object's name"},
		"invalid utf-8":  {"{\"a\":\"\xff\"}", "a byte that is not UTF-8 at byte 6"},
		"high surrogate": {`{"a":"x\ud83d"}`, "half of a surrogate pair, which is no character, at byte 7"},
		"low surrogate":  {`{"a":"\ude00x"}`, "half of a surrogate pair, which is no character, at byte 6"},
		"reversed pair":  {`{"a":"\ude00\ud83d"}`, "half of a surrogate pair, which is no character, at byte 6"},
		"bad escape":     {`{"a":"\u12x4"}`, "not valid JSON at byte"},
		"two values":     {`{} {}`, "more than one JSON value"},
		"garbage after":  {`{} x`, "not valid JSON"},
		"deep arrays":    {strings.Repeat("[", 100_000), "nests deeper than 128"},
		"deep objects":   {strings.Repeat(`{"a":`, 100_000), "nests deeper than 128"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := Decode([]byte(c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Decode: got %v, want an error with %q", err, c.want)
			}
			if err := Validate([]byte(c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Validate: got %v, want an error with %q", err, c.want)
			}
			if _, err := NewPaths([]string{"a"}).Extract([]byte(c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Extract: got %v, want an error with %q", err, c.want)
			}
		})
	}
	if err := Validate([]byte(` {"a":[{"b":1}]} `)); err != nil {
		t.Errorf("Validate: %v", err)
	}
	if _, err := Decode([]byte(strings.Repeat("9", 1000))); err == nil {
		t.Error("a number of 1000 digits was accepted")
	}
}

// TestLargeBodiesTakeLittleMemory reads 50 MB of small values.
func TestLargeBodiesTakeLittleMemory(t *testing.T) {
	var length, all Shape
	length.Each()
	all.All()
	for name, data := range map[string][]byte{
		"numbers": []byte("[" + strings.Repeat("0,", 25<<20) + "0]"),
		"objects": []byte("[" + strings.Repeat("{},", 17<<20) + "0]"),
	} {
		for wanted, shape := range map[string]*Shape{"length": &length, "all": &all} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := shape.Decode(data)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), "more than 1048576 values") {
				t.Errorf("%s, %s wanted: %v", name, wanted, err)
			}
			if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 256 {
				t.Errorf("%s, %s wanted: %d MiB", name, wanted, took)
			}
		}
	}
	var nothing Shape
	if _, err := nothing.Decode([]byte("[" + strings.Repeat("0,", MaxValues) + "0]")); err != nil {
		t.Errorf("nothing wanted: %v", err)
	}
}

func TestExtract(t *testing.T) {
	p := NewPaths([]string{"id", "data.object.id", "data.object", "items.1.id", "flag", "none", "null"})
	got, err := p.Extract([]byte(`{"id":9007199254740993,"data":{"object":{"id":"pi_1","x":{"id":2}}},"items":[{"id":"a"},{"id":"b"}],"flag":false,"null":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Value{{"9007199254740993", true}, {"pi_1", true}, {}, {"b", true}, {"false", true}, {}, {}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzBody holds Decode and Extract to the same verdict and the same values, and both
// to encoding/json where that one is as strict.
func FuzzBody(f *testing.F) {
	for _, s := range []string{`{"a":{"b":1}}`, `[1,2,{"a":"x"}]`, `"\ud800"`, `1e999`, `{"a":1,"a":1}`, "\xff", `[[[[`, `0`, ` null `, `{"\u0061":"\n"}`, `["x"] `} {
		f.Add([]byte(s))
	}
	list := []string{"a", "a.b", "0", "1.a"}
	paths := NewPaths(list)
	f.Fuzz(func(t *testing.T, data []byte) {
		v, decodeErr := Decode(data)
		values, extractErr := paths.Extract(data)
		if decodeErr == nil && extractErr != nil {
			t.Fatalf("Decode accepts what Extract refuses: %v", extractErr)
		}
		if decodeErr != nil && extractErr == nil && !strings.Contains(decodeErr.Error(), "number") {
			t.Fatalf("Extract accepts what Decode refuses: %v", decodeErr)
		}
		if decodeErr != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("Decode accepts %q, which is not JSON", data)
		}
		var want any
		if err := json.Unmarshal(data, &want); err == nil && !same(v, want) {
			t.Fatalf("Decode gives %#v of %q, encoding/json %#v", v, data, want)
		}
		for i, path := range list {
			want, isText := walk(v, strings.Split(path, ".")).(string)
			if got := values[i]; isText && (!got.OK || got.Text != want) {
				t.Fatalf("%s of %q is %q, not %v", path, data, want, got)
			}
		}
	})
}

// same compares what Decode gave with what encoding/json did, to which every number is
// a double.
func same(v, want any) bool {
	switch v := v.(type) {
	case int:
		return float64(v) == want
	case *big.Int:
		f, err := strconv.ParseFloat(v.String(), 64)
		return err == nil && f == want
	case []any:
		w, ok := want.([]any)
		return ok && slices.EqualFunc(v, w, same)
	case map[string]any:
		w, ok := want.(map[string]any)
		return ok && maps.EqualFunc(v, w, same)
	}
	return v == want
}

// walk follows a path through what Decode gave.
func walk(v any, steps []string) any {
	for _, step := range steps {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}
