// SPDX-License-Identifier: Apache-2.0

package yamlfile_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hookstream/hookstream/schemas/yamlfile"
)

type menu struct {
	Title  string         `yaml:"title"`
	Dishes []dish         `yaml:"dishes"`
	Prices map[string]int `yaml:"prices"`
}

type dish struct {
	Name string `yaml:"name"`
	Of   any    `yaml:"of"`
}

const text = `# what there is today
title: Monday
dishes:
  - name: soup
    of: &veg
      - leek
      - potato
  - name: pie
    of: *veg
prices:
  soup: 5
`

func TestProblemsSayWhere(t *testing.T) {
	var m menu
	f, err := yamlfile.Parse("menu.yaml", []byte(text), &m)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Dishes) != 2 || m.Prices["soup"] != 5 {
		t.Errorf("read %+v", m)
	}
	for _, c := range []struct {
		path []any
		want string
		has  bool
	}{
		{nil, "menu.yaml:2: wrong", true},
		{[]any{"title"}, "menu.yaml:2: title: wrong", true},
		{[]any{"dishes"}, "menu.yaml:3: dishes: wrong", true},
		{[]any{"dishes", 1, "name"}, "menu.yaml:8: dishes[1].name: wrong", true},
		{[]any{"dishes", 0, "of"}, "menu.yaml:5: dishes[0].of: wrong", true},
		{[]any{"dishes", 1, "of", 1}, "menu.yaml:7: dishes[1].of[1]: wrong", true},
		// What is missing is missing in what is around it.
		{[]any{"dishes", 1, "price"}, "menu.yaml:8: dishes[1].price: wrong", false},
		{[]any{"dishes", 7, "name"}, "menu.yaml:3: dishes[7].name: wrong", false},
		{[]any{"drinks", 0}, "menu.yaml:2: drinks[0]: wrong", false},
		// One item may stand in place of a list.
		{[]any{"title", 0}, "menu.yaml:2: title: wrong", true},
		{[]any{"title", 1}, "menu.yaml:2: title[1]: wrong", false},
	} {
		if got := f.Problem("wrong", c.path...).Error(); got != c.want {
			t.Errorf("%v: %s, want %s", c.path, got, c.want)
		}
		if got := f.Has(c.path...); got != c.has {
			t.Errorf("the file has %v: %t", c.path, got)
		}
	}
	var none *yamlfile.File
	if got := none.Problem("wrong", "title").Error(); got != "title: wrong" || none.Has("title") {
		t.Errorf("without a file: %s", got)
	}
}

func TestWhatCannotBeReadHasItsLine(t *testing.T) {
	for text, want := range map[string][]string{
		"":                            {"menu.yaml:1: "},
		"title: [":                    {"menu.yaml:2: "},
		"title: a\nmeals: []\n":       {"menu.yaml:2: "},
		"prices:\n  a: x\n  b: y\n":   {"menu.yaml:2: ", "menu.yaml:3: "},
		"title: a\ntitle: b\n":        {"menu.yaml:2: "},
		"dishes:\n  - nome: misspelt": {"menu.yaml:2: "},
	} {
		var m menu
		_, err := yamlfile.Parse("menu.yaml", []byte(text), &m)
		all := yamlfile.Problems("other", err)
		if len(all) != len(want) {
			t.Errorf("%q: %v, want %d problems", text, err, len(want))
			continue
		}
		for i, p := range all {
			if at := fmt.Sprintf("%s:%d: ", p.File, p.Line); at != want[i] || p.Message == "" {
				t.Errorf("%q: %v, want %s", text, p, want[i])
			}
		}
	}
}

func TestProblemsTakesErrorsApart(t *testing.T) {
	p := &yamlfile.Problem{File: "a.yaml", Line: 3, Message: "one"}
	got := yamlfile.Problems("b.yaml", errors.Join(p, errors.Join(errors.New("two"), fmt.Errorf("wrapped: %w", p))))
	if len(got) != 3 || got[0] != p || got[1].Error() != "b.yaml: two" || got[2] != p {
		t.Errorf("got %v", got)
	}
	if got := yamlfile.Problems("b.yaml", nil); len(got) != 0 {
		t.Errorf("nothing wrong gives %v", got)
	}
}
