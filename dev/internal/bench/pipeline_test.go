// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"
	"time"
)

func TestVisible(t *testing.T) {
	p := partition{"events.payment.v1", 3}
	start := time.Unix(1767268800, 0)
	w := &watcher{seen: map[partition][]step{p: {{-1, start}, {5, start.Add(1)}, {9, start.Add(2)}}}}
	for offset, want := range map[int64]time.Duration{0: 1, 4: 1, 5: 2, 8: 2} {
		if at, ok := w.visible(p, offset); !ok || at.Sub(start) != want {
			t.Errorf("offset %d was visible at %v, %t, want %v", offset, at.Sub(start), ok, want)
		}
	}
	if _, ok := w.visible(p, 9); ok {
		t.Error("what was not applied is visible")
	}
}

// TestGrowingLagIsNoticed: webhooks that are sent each millisecond for a second,
// with rows that come later and later, or always as late.
func TestGrowingLagIsNoticed(t *testing.T) {
	flowOf := func(lag func(n int) time.Duration, elapsed time.Duration) *flow {
		f := &flow{rate: 1000, load: &load{elapsed: elapsed}}
		for n := range 1000 {
			f.due = append(f.due, due(n, f.rate))
			f.visible = append(f.visible, due(n, f.rate)+lag(n))
		}
		return f
	}
	late := func(int) time.Duration { return 50 * time.Millisecond }
	growing := func(n int) time.Duration { return time.Duration(n) * time.Millisecond / 2 }
	if !flowOf(late, time.Second).sustained(time.Second) {
		t.Error("a constant lag is taken for one that grows")
	}
	if flowOf(growing, time.Second).sustained(time.Second) {
		t.Error("a lag that grows by half of the rate is not noticed")
	}
	if flowOf(late, 2*time.Second).sustained(time.Second) {
		t.Error("requests that are answered late are not noticed")
	}
}

// TestSearch: whatever holds, and wherever the search begins, the highest step is
// found, and one that is about right already takes two trials.
func TestSearch(t *testing.T) {
	for highest := -1; highest < 40; highest++ {
		for _, from := range []struct{ step, stride int }{{firstStep, firstStride}, {max(0, highest), 1}, {0, 1}, {39, 1}} {
			trials := 0
			held, err := search(from.step, from.stride, func(step int) (bool, error) { trials++; return step <= highest, nil })
			if err != nil || held != highest {
				t.Errorf("found %d, want %d, from %+v: %v", held, highest, from, err)
			}
			if from.step == highest && from.stride == 1 && trials != 2 {
				t.Errorf("%d trials at %d", trials, highest)
			}
		}
	}
	for step := range 60 {
		if stepOf(rateAt(step)) != step {
			t.Errorf("step %d is %v/s, which is step %d", step, rateAt(step), stepOf(rateAt(step)))
		}
	}
}

func TestFlow(t *testing.T) {
	start := time.Unix(1767268800, 0)
	l := &load{start: start}
	f, err := newFlow(l, 1000, "evt_bench1_", []arrival{{"evt_bench1_2", start.Add(7 * time.Millisecond)}, {"evt_bench1_1", start.Add(4 * time.Millisecond)}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.toRow(); got[0] != 3 || got[1] != 5 {
		t.Errorf("took %v ms, want 3 and 5", got)
	}
	if _, err := newFlow(l, 1000, "evt_bench1_", []arrival{{eventID: "evt_other"}}); err == nil {
		t.Error("an event of another turn was taken")
	}
}
