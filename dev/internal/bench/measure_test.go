// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math"
	"slices"
	"testing"
)

func TestMeasure(t *testing.T) {
	cases := map[string]struct {
		measure Measure
		want    float64
		ok      bool
	}{
		"ratio reached":     {Measure{By: Ratio, Baseline: []float64{10, 10, 10}, Subject: []float64{6, 7, 1}, Limit: atLeast(0.6)}, 0.6, true},
		"ratio missed":      {Measure{By: Ratio, Baseline: []float64{10, 10, 10}, Subject: []float64{5, 7, 1}, Limit: atLeast(0.6)}, 0.5, false},
		"difference kept":   {Measure{By: Difference, Baseline: []float64{1, 2}, Subject: []float64{4, 9}, Limit: atMost(5)}, 5, true},
		"difference missed": {Measure{By: Difference, Baseline: []float64{1}, Subject: []float64{7}, Limit: atMost(5)}, 6, false},
		"no limit":          {Measure{By: Ratio, Baseline: []float64{1}, Subject: []float64{1000}}, 1000, true},
		"rounds are pairs":  {Measure{By: Ratio, Baseline: []float64{1, 100, 10}, Subject: []float64{2, 200, 20}}, 2, true},
		"nothing measured":  {Measure{By: Ratio, Limit: atLeast(0.6)}, math.NaN(), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := median(c.measure.Compared())
			if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("compared %v, want %v", got, c.want)
			}
			if c.measure.OK() != c.ok {
				t.Errorf("OK is %v", c.measure.OK())
			}
		})
	}
}

func TestMedianLeavesOrder(t *testing.T) {
	values := []float64{3, 1, 2}
	if median(values) != 2 || !slices.Equal(values, []float64{3, 1, 2}) {
		t.Errorf("median %v, values %v", median(values), values)
	}
}

func TestQuantile(t *testing.T) {
	thousand := make([]int, 1000)
	for i := range thousand {
		thousand[i] = i + 1
	}
	for q, want := range map[float64]int{0: 1, .5: 500, .99: 990, .999: 999, 1: 1000} {
		if got := quantile(thousand, q); got != want {
			t.Errorf("quantile %v is %d, want %d", q, got, want)
		}
	}
	if quantile([]int{7}, .99) != 7 {
		t.Error("quantile of one value")
	}
}
