// SPDX-License-Identifier: Apache-2.0

package body

import (
	"reflect"
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

// FuzzShape holds a Shape to refuse what Decode refuses, but for numbers out of
// range, and to find what Decode finds.
func FuzzShape(f *testing.F) {
	for _, s := range []string{`{"a":{"b":[1,{"c":2}]},"d":3}`, `[]`, `{"a":1,"a":2}`, `{"d":{"d":1,"d":2}}`, `{"a":"\ud800"}`, `1 2`, `{"a":`, `nul`, "\xff"} {
		f.Add([]byte(s))
	}
	var none, some, all Shape
	_, a := some.Member("a")
	a.Member("b")
	all.All()
	f.Fuzz(func(t *testing.T, data []byte) {
		whole, err := Decode(data)
		if err != nil && strings.Contains(err.Error(), "number") {
			return
		}
		if _, got := none.Decode(data); (got == nil) != (err == nil) {
			t.Fatalf("wanting nothing: %v, Decode: %v", got, err)
		}
		if v, got := all.Decode(data); (got == nil) != (err == nil) || err == nil && !reflect.DeepEqual(v, whole) {
			t.Fatalf("wanting all: %v, %v, Decode: %v, %v", v, got, whole, err)
		}
		v, got := some.Decode(data)
		if (got == nil) != (err == nil) {
			t.Fatalf("wanting some: %v, Decode: %v", got, err)
		}
		if p, ok := v.(Partial); ok && err == nil {
			object, _ := whole.(map[string]any)["a"].(map[string]any)
			if inner, ok := p[0].(Partial); ok != (object != nil) || ok && kind(inner[0]) != kind(object["b"]) {
				t.Fatalf("got %v of %v", v, whole)
			}
		}
	})
}

func kind(v any) string {
	switch v.(type) {
	case Partial, map[string]any:
		return "object"
	case []any:
		return "array"
	}
	return reflect.ValueOf(v).String()
}
