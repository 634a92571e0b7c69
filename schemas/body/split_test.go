// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// whatsApp has the nested paths of Meta's webhooks.
var whatsApp = []string{"entry.*.changes.*.value.messages.*", "entry.*.changes.*.value.statuses.*", "entry.*.changes.*"}

func TestSplit(t *testing.T) {
	cases := map[string]struct {
		paths []string
		body  string
		want  []string
	}{
		"top-level array": {[]string{"*"}, "[ {\"a\":1.0} ,\n 2e1,[3] ]", []string{`[{"a":1.0}]`, `[2e1]`, `[[3]]`}},
		"array in an envelope, kept as it is": {[]string{"items.*"}, `{ "live": "true", "items":[{"id":1},{"id":2}] ,"n":1e2}`,
			[]string{`{ "live": "true", "items":[{"id":1}] ,"n":1e2}`, `{ "live": "true", "items":[{"id":2}] ,"n":1e2}`}},
		"array of scalars":     {[]string{"a.ids.*"}, `{"a":{"ids":["1","2"]}}`, []string{`{"a":{"ids":["1"]}}`, `{"a":{"ids":["2"]}}`}},
		"no array":             {[]string{"items.*"}, ` {"id":1} `, []string{` {"id":1} `}},
		"no array there":       {[]string{"items.*"}, `{"items":{"id":1}}`, []string{`{"items":{"id":1}}`}},
		"scalar":               {[]string{"*"}, `7`, []string{`7`}},
		"empty array":          {[]string{"events.*"}, `{"events":[]}`, nil},
		"escaped name":         {[]string{"items.*"}, `{"\u0069tems":[1,2]}`, []string{`{"\u0069tems":[1]}`, `{"\u0069tems":[2]}`}},
		"single item, to size": {[]string{"*"}, `[{"id":1}]`, []string{`[{"id":1}]`}},
		"nested": {whatsApp, `{"o":"w","entry":[{"id":"e1","changes":[{"field":"m","value":{"messages":[{"id":1},{"id":2}],"statuses":[{"id":3}]}}]},{"id":"e2","changes":[{"field":"account"}]}]}`,
			[]string{
				`{"o":"w","entry":[{"id":"e1","changes":[{"field":"m","value":{"messages":[{"id":1}],"statuses":[]}}]}]}`,
				`{"o":"w","entry":[{"id":"e1","changes":[{"field":"m","value":{"messages":[{"id":2}],"statuses":[]}}]}]}`,
				`{"o":"w","entry":[{"id":"e1","changes":[{"field":"m","value":{"messages":[],"statuses":[{"id":3}]}}]}]}`,
				`{"o":"w","entry":[{"id":"e2","changes":[{"field":"account"}]}]}`,
			}},
		"an element without the next array is an item": {[]string{"entry.*.changes.*"}, `{"entry":[{"messaging":1},{"changes":[2]},{"changes":[]}]}`,
			[]string{`{"entry":[{"messaging":1}]}`, `{"entry":[{"changes":[2]}]}`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			items, err := NewBatch(c.paths).Split([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, item := range items {
				got = append(got, string(item.Body))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if len(items) == 0 {
				return
			}
			if whole, err := Join(items); err != nil || string(whole) != c.body {
				t.Errorf("joined to %s, %v", whole, err)
			}
		})
	}
}

func TestGapIsACommaWhereNothingElseIsBetween(t *testing.T) {
	items, err := NewBatch([]string{"items.*"}).Split([]byte(`{"items":[1,2 , 3]}`))
	if err != nil {
		t.Fatal(err)
	}
	var gaps []string
	for _, item := range items {
		gaps = append(gaps, item.Gap)
	}
	if !slices.Equal(gaps, []string{"", ",", " , "}) {
		t.Errorf("gaps %q", gaps)
	}
}

func TestSplitIsBounded(t *testing.T) {
	many := func(n int, item, before string) []byte {
		return []byte(before + "[" + strings.Repeat(item+",", n-1) + item + "]" + strings.Repeat("}", strings.Count(before, "{")))
	}
	cases := map[string]struct {
		body []byte
		want error
	}{
		"as many as allowed": {many(MaxItems, `1`, `{"a":`), nil},
		"one more":           {many(MaxItems+1, `1`, `{"a":`), ErrTooMany},
		"a long envelope":    {many(MaxItems, `1`, `{"b":"`+strings.Repeat("x", 100_000)+`","a":`), ErrTooMany},
		"a long gap":         {[]byte(`{"a":[1,` + strings.Repeat(" ", maxGap) + `2]}`), ErrTooMany},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			items, err := NewBatch([]string{"a.*"}).Split(c.body)
			if !errors.Is(err, c.want) || (err == nil) != (items != nil) {
				t.Errorf("%d items and %v, want %v", len(items), err, c.want)
			}
		})
	}
}

func TestSplitRefusesWhatDecodeRefuses(t *testing.T) {
	for _, text := range []string{"", `[1,2`, `[1,nope]`, `[{"a":1,"a":2}]`, "[\"\xff\"]", `[] []`, strings.Repeat("[", 100_000), strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		_, want := Decode([]byte(text))
		if items, err := NewBatch([]string{"*"}).Split([]byte(text)); err == nil || items != nil {
			t.Errorf("%.40q: %d items and no error, want %v", text, len(items), want)
		}
	}
}

func TestJoinRefusesForeignItems(t *testing.T) {
	split := func(text string) []Item {
		items, err := NewBatch([]string{"*"}).Split([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return items
	}
	cases := map[string][]Item{
		"one is missing":       split(`[1,22,3]`)[:2],
		"bytes without ranges": {{Body: []byte("ab"), Ranges: []Range{{0, 1}}}},
		"not a range":          {{Body: []byte("a"), Ranges: []Range{{3, 2}, {0, 2}}}},
		"a huge range":         {{Body: []byte("a"), Ranges: []Range{{1 << 40, 1<<40 + 1}}}},
	}
	for name, items := range cases {
		if whole, err := Join(items); err == nil {
			t.Errorf("%s: joined to %q", name, whole)
		}
	}
}

// FuzzSplit: whatever is split gives the same bytes when it is joined, and every item
// is JSON that is split no further.
func FuzzSplit(f *testing.F) {
	f.Add([]byte(`{"o":1,"entry":[{"changes":[{"value":{"messages":[1, 2],"statuses":[]}},{}]} , {"changes":[]}]}`), "entry.*.changes.*.value.messages.*", "entry.*.changes.*")
	f.Add([]byte("[1 ,\t{\"a\":[2]}]\n"), "*", "*.a.*")
	f.Add([]byte(`[[1],[],[2,[3]]]`), "*.*", "*")
	f.Add([]byte(`{"a":[{"b":[1,2],"c":[3]}],"a\u0000":0}`), "a.*.b.*", "a.*.c.*")
	f.Fuzz(func(t *testing.T, data []byte, path1, path2 string) {
		batch := NewBatch([]string{path1, path2})
		items, err := batch.Split(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("split %q, which is not JSON", data)
		}
		for i, item := range items {
			if !json.Valid(item.Body) {
				t.Fatalf("item %d of %q is %q, not JSON", i, data, item.Body)
			}
			again, err := batch.Split(item.Body)
			if err != nil || len(again) != 1 || !bytes.Equal(again[0].Body, item.Body) {
				t.Fatalf("item %q is split again into %d, %v", item.Body, len(again), err)
			}
		}
		if len(items) == 0 {
			return
		}
		whole, err := Join(items)
		if err != nil || !bytes.Equal(whole, data) {
			t.Fatalf("%q was joined to %q, %v", data, whole, err)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			data := []byte("[" + strings.Repeat(`{"eventId":1,"subscriptionType":"contact.creation","objectId":2},`, n-1) + `{}]`)
			batch := NewBatch([]string{"*"})
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := batch.Split(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
