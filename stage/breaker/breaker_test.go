// SPDX-License-Identifier: Apache-2.0

package breaker

import (
	"fmt"
	"iter"
	"maps"
	"testing"

	"github.com/hookstream/hookstream/schemas/reason"
)

// share is a number of records of one event type that end alike.
type share struct {
	eventType string
	n, keys   int
	why       reason.Code
}

func (s share) kind() Kind { return Kind{"default", "acme", s.eventType} }

func outcomes(shares ...share) iter.Seq[Outcome] {
	return func(yield func(Outcome) bool) {
		for _, s := range shares {
			for i := range s.n {
				if !yield(Outcome{s.kind(), fmt.Append(nil, "key", i%s.keys), s.why}) {
					return
				}
			}
		}
	}
}

func TestOpens(t *testing.T) {
	for name, c := range map[string]struct {
		batch []share
		open  bool
	}{
		"most of a type":                    {[]share{{"a", 20, 5, reason.MappingFailed}}, true},
		"most of one type among others":     {[]share{{"b", 500, 5, ""}, {"a", 20, 5, reason.MappingFailed}, {"b", 500, 5, ""}}, true},
		"more than half":                    {[]share{{"a", 99, 99, ""}, {"a", 100, 100, reason.ConstraintViolation}}, true},
		"too few":                           {[]share{{"a", 19, 5, reason.MappingFailed}}, false},
		"one sick key":                      {[]share{{"a", 500, 1, reason.MappingFailed}}, false},
		"half":                              {[]share{{"a", 20, 5, reason.MappingFailed}, {"a", 20, 5, ""}}, false},
		"two reasons, none of them of most": {[]share{{"a", 20, 5, reason.MappingFailed}, {"a", 20, 5, reason.UnknownProvider}}, false},
	} {
		open := New().Judge(outcomes(c.batch...)).Open
		if _, ok := open[share{eventType: "a"}.kind()]; ok != c.open || len(open) > 1 {
			t.Errorf("%s: open for %v", name, open)
		}
	}
}

func TestCountsOverBatches(t *testing.T) {
	b := New()
	for i := range LeastFailures {
		v := b.Judge(func(yield func(Outcome) bool) {
			yield(Outcome{share{eventType: "a"}.kind(), fmt.Append(nil, i), reason.MappingFailed})
		})
		if open := len(v.Open) > 0; open != (i == LeastFailures-1) {
			t.Fatalf("after %d failures one by one the breaker is open: %v", i+1, open)
		}
		v.Commit()
	}
}

// TestStaysOpen: where what fails is set aside, until it is closed, whatever works
// meanwhile.
func TestStaysOpen(t *testing.T) {
	b, k := New(), share{eventType: "a"}.kind()
	b.Judge(outcomes(share{"a", 20, 5, reason.MappingFailed}, share{"b", 20, 5, ""})).Commit()
	b.Judge(outcomes(share{"a", 500, 5, ""}, share{"a", 3, 1, reason.MappingFailed})).Commit()
	open := maps.Collect(b.Opened())
	if len(open) != 1 || open[k] != 500 || !b.IsOpen(k) {
		t.Errorf("open for %v, want for the one with 500 that worked", open)
	}
	if v := b.Judge(outcomes(share{"a", 1, 1, ""})); v.Open[k] != reason.MappingFailed {
		t.Errorf("a batch without a failure is judged %v", v.Open)
	}
	b.Close(k)
	if v := b.Judge(outcomes(share{"a", 19, 5, reason.MappingFailed})); b.IsOpen(k) || len(v.Open) > 0 {
		t.Errorf("closed, and open for %v", v.Open)
	}
}

func TestForgetsWhatWasNotCommittedAndFades(t *testing.T) {
	b := New()
	b.Judge(outcomes(share{"a", 19, 5, reason.MappingFailed}))
	if len(b.lately) != 0 {
		t.Error("an aborted batch is remembered")
	}
	b.Judge(outcomes(share{"a", 19, 5, reason.MappingFailed})).Commit()
	for range 10 {
		b.Judge(outcomes(share{"a", memory, 5, ""})).Commit()
	}
	if h := b.lately[share{eventType: "a"}.kind()]; h != nil && h.failures[reason.MappingFailed] > 1 {
		t.Errorf("%d old failures still count", h.failures[reason.MappingFailed])
	}
}

func TestIsBounded(t *testing.T) {
	b := New()
	for i := range maxKinds + 10 {
		b.Judge(outcomes(share{fmt.Sprint(i), 1, 1, reason.MappingFailed})).Commit()
	}
	if len(b.lately) > maxKinds {
		t.Errorf("%d types are watched", len(b.lately))
	}
}
