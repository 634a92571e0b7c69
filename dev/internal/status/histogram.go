// SPDX-License-Identifier: Apache-2.0

package status

import (
	"maps"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// histogram is a Prometheus histogram summed over its labels: cumulative counts
// by upper bound, in seconds.
type histogram struct {
	count   uint64
	buckets map[float64]uint64
}

func sumHistograms(families []*dto.MetricFamily, name string) histogram {
	h := histogram{buckets: map[float64]uint64{}}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			h.count += m.GetHistogram().GetSampleCount()
			for _, b := range m.GetHistogram().GetBucket() {
				h.buckets[b.GetUpperBound()] += b.GetCumulativeCount()
			}
		}
	}
	return h
}

// since is what was added after an earlier state of the same histogram.
func (h histogram) since(earlier histogram) histogram {
	d := histogram{count: h.count - earlier.count, buckets: map[float64]uint64{}}
	for bound, n := range h.buckets {
		d.buckets[bound] = n - earlier.buckets[bound]
	}
	return d
}

// quantile interpolates within the bucket that holds it, as Prometheus does.
func (h histogram) quantile(q float64) float64 {
	rank := q * float64(h.count)
	lower, below := 0.0, uint64(0)
	for _, upper := range slices.Sorted(maps.Keys(h.buckets)) {
		n := h.buckets[upper]
		if float64(n) >= rank && n > below {
			return lower + (upper-lower)*(rank-float64(below))/float64(n-below)
		}
		lower, below = upper, n
	}
	return lower
}
