// SPDX-License-Identifier: Apache-2.0

package apply

import "testing"

// TestQuantilesOfALongLatencyAreTrue: what is interpolated within a bucket is wrong by
// half at most, up to an outage of ten minutes.
func TestQuantilesOfALongLatencyAreTrue(t *testing.T) {
	for i, bound := range latencyBounds[1:] {
		if before := latencyBounds[i]; before >= 5 && bound <= 600 && bound > 1.5*before {
			t.Errorf("no bucket between %v and %v s", before, bound)
		}
	}
}
