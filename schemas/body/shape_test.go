// SPDX-License-Identifier: Apache-2.0

package body

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestShapeDecodesWhatIsWanted(t *testing.T) {
	const text = `{"a":{"b":1,"c":[1,2]},"list":[{"x":1,"y":2},{"y":3},null,"s"],"map":{"k":{"x":1,"y":2}},"rest":1e999,"é":"\u00e9","n":null}`
	var s Shape
	_, a := s.Member("a")
	a.Member("b")
	a.Member("c")
	_, list := s.Member("list")
	list.Each().Member("x")
	_, m := s.Member("map")
	m.Each().Member("x")
	s.Member("é")
	s.Member("n")
	s.Member("none")
	if i, again := s.Member("a"); i != 0 || again != a {
		t.Errorf("a member that is wanted again is another one: %d", i)
	}
	got, err := s.Decode([]byte(text))
	want := Partial{
		Partial{1, []any{}},
		[]any{Partial{1}, Partial{nil}, nil, "s"},
		map[string]any{"k": map[string]any{"x": 1, "y": 2}},
		"é", nil, nil,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
	s.All()
	if _, err := s.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), "range of a double") {
		t.Errorf("all of it: %v", err)
	}
}

// TestNamesThatRepeat are refused wherever the value could be one or the other.
func TestNamesThatRepeat(t *testing.T) {
	var s Shape
	_, a := s.Member("a")
	a.Member("b")
	_, list := s.Member("list")
	list.Each().Member("x")
	_, m := s.Member("map")
	m.Each()
	for text, at := range map[string]string{
		`{"a":{"b":1},"a":{"b":2}}`:        "byte 13",
		`{"a":null,"a":{}}`:                "byte 10",
		`{"a":{"b":null,"\u0062":1}}`:      "byte 15",
		`{"list":[{"x":1},{"x":1,"x":2}]}`: "byte 24",
		`{"map":{"k":1,"k":2}}`:            "byte 14",
		`{"map":{"k":{"n":1,"n":2}}}`:      "byte 19",
	} {
		if _, err := s.Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), "repeats an object's name at "+at) {
			t.Errorf("%s: got %v, want %s", text, err, at)
		}
		err := Validate([]byte(text))
		if err == nil || !strings.Contains(err.Error(), at) {
			t.Errorf("%s: Validate says %v, want %s", text, err, at)
		}
	}
	const unread = `{"z":1,"z":{"y":1,"y":2},"a":{"c":1,"c":2}}`
	if v, err := s.Decode([]byte(unread)); err != nil || !reflect.DeepEqual(v, Partial{Partial{nil}, nil, nil}) {
		t.Errorf("what nobody reads: %#v, %v", v, err)
	}
	var many Shape
	for n := range 100 {
		many.Member(strconv.Itoa(n))
	}
	if _, err := many.Decode([]byte(`{"99":1,"99":1}`)); err == nil {
		t.Error("a name of many was repeated")
	}
}

// FuzzShape holds a Shape to what Decode finds.
func FuzzShape(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,{"c":2}]},"d":3}`, `[]`, ` { "a" : { } , "d" : [ ] } `, `{"d":{"d":1}}`, `{"a":"\u0061","\u0064":"\\\""}`, `{"a":[]}`, `"x"`, `-0.5e1`} {
		f.Add([]byte(s))
	}
	var none, some Shape
	_, a := some.Member("a")
	a.Member("b")
	_, d := some.Member("d")
	d.Each()
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Decode(data)
		if err != nil {
			return
		}
		if _, err := none.Decode(data); err != nil {
			t.Fatalf("wanting nothing: %v", err)
		}
		part, err := some.Decode(data)
		if err != nil {
			t.Fatalf("wanting some: %v", err)
		}
		object, isObject := v.(map[string]any)
		p, isPartial := part.(Partial)
		if isObject != isPartial {
			t.Fatalf("got %#v of %#v", part, v)
		}
		if !isObject {
			return
		}
		if kind(p[0]) != kind(object["a"]) || kind(p[1]) != kind(object["d"]) {
			t.Fatalf("got %#v of %#v", part, v)
		}
		inner, _ := object["a"].(map[string]any)
		if wanted, ok := p[0].(Partial); ok && kind(wanted[0]) != kind(inner["b"]) {
			t.Fatalf("got %#v of %#v", part, v)
		}
		list, _ := object["d"].([]any)
		if wanted, ok := p[1].([]any); ok && len(wanted) != len(list) {
			t.Fatalf("got %#v of %#v", part, v)
		}
	})
}

// kind tells values apart as far as they are the same when only some is wanted.
func kind(v any) string {
	switch v.(type) {
	case Partial, map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return fmt.Sprint(v)
}
