// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"reflect"
	"strings"
	"testing"
)

func TestSpreadsAgree(t *testing.T) {
	cases := map[string]struct {
		old, new Spread
		want     bool
	}{
		"each within the other":    {Spread{10, 8, 12}, Spread{11, 9, 13}, true},
		"new outside of the old":   {Spread{10, 9, 11}, Spread{12, 9, 13}, false},
		"old outside of the new":   {Spread{10, 8, 12}, Spread{11, 10.5, 13}, false},
		"1 % apart":                {Spread{100, 100, 100}, Spread{101, 101, 101}, true},
		"2 % apart":                {Spread{100, 100, 100}, Spread{102, 102, 102}, false},
		"on the edge of a spread":  {Spread{10, 9, 12}, Spread{12, 10, 13}, true},
		"the same":                 {Spread{0, 0, 0}, Spread{0, 0, 0}, true},
		"below zero and 1 % apart": {Spread{-100, -100, -100}, Spread{-101, -101, -101}, true},
	}
	for name, c := range cases {
		if got := c.old.agrees(c.new); got != c.want {
			t.Errorf("%s: agree is %t", name, got)
		}
		if c.old.agrees(c.new) != c.new.agrees(c.old) {
			t.Errorf("%s: depends on which comes first", name)
		}
	}
}

// runOf is a run of one benchmark with a ratio, a goal and a figure for orientation.
func runOf(ratio, goal, orientation float64) []Result {
	return []Result{{Name: "n", Measures: []Measure{
		{Name: "rate", Unit: "/s", By: Ratio, Baseline: []float64{10, 10, 10}, Subject: []float64{10 * ratio, 9 * ratio, 11 * ratio}},
		{Name: "memory", Unit: "MB", By: Absolute, Subject: []float64{goal}, Limit: atMost(30)},
		{Name: "time", Unit: "ms", By: Absolute, Subject: []float64{orientation}},
	}}}
}

func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		again []Result
		want  bool
		agree []bool
	}{
		"the same":          {runOf(1, 20, 5), true, []bool{true, true, true}},
		"another machine":   {runOf(1, 20, 9), true, []bool{true, true, false}},
		"a slower subject":  {runOf(.8, 20, 5), false, []bool{false, true, true}},
		"a goal moved away": {runOf(1, 22, 5), false, []bool{true, false, true}},
	} {
		both, alone := Compare(runOf(1, 20, 5), c.again)
		var agree []bool
		for _, b := range both {
			agree = append(agree, b.Agree)
		}
		if !reflect.DeepEqual(agree, c.agree) || len(alone) != 0 || Agree(both) != c.want {
			t.Errorf("%s: agree %v, all %t, alone %v", name, agree, Agree(both), alone)
		}
	}
}

func TestCompareNamesWhatIsAlone(t *testing.T) {
	added := append(runOf(1, 20, 5), Result{Name: "added", Measures: []Measure{{Name: "m", By: Absolute, Subject: []float64{1}}}})
	both, alone := Compare(runOf(1, 20, 5), added)
	if want := []string{"only in the second: added: m"}; len(both) != 3 || !reflect.DeepEqual(alone, want) {
		t.Errorf("%d in both, alone %v", len(both), alone)
	}
	if _, alone = Compare(added, runOf(1, 20, 5)); len(alone) != 1 || alone[0] != "only in the first: added: m" {
		t.Errorf("alone %v", alone)
	}
}

func TestComparisonAsTables(t *testing.T) {
	both, alone := Compare(runOf(1, 20, 5), append(runOf(.8, 20, 9), results()...))
	var b strings.Builder
	if err := WriteComparison(&b, both, alone); err != nil {
		t.Fatal(err)
	}
	goals, orientation, ok := strings.Cut(b.String(), "\nabsolute figures")
	if !ok || !strings.Contains(goals, "1 of 2 agree.") || !strings.Contains(orientation, "0 of 1 agree.") || !strings.Contains(orientation, "only in the second") {
		t.Errorf("got %s", &b)
	}
	if !strings.Contains(goals, "differs      1.00× 0.90× to 1.10×          0.80× 0.72× to 0.88×      /s          n: rate\n") {
		t.Errorf("no such line in %s", goals)
	}
	for line := range strings.Lines(goals) {
		if n := len([]rune(line)); n > 121 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
