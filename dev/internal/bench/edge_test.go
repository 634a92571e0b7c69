// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"testing"
	"time"
)

// TestSpentAdds: what the slices of a turn took is added up, so that a rate is
// requests by the time of all slices.
func TestSpentAdds(t *testing.T) {
	slice := func(requests int, elapsed, cpu time.Duration) *spent {
		return &spent{load: &load{requests: requests, elapsed: elapsed}, server: usage{CPU: cpu, Objects: 3}, broker: usage{Bytes: 5}}
	}
	sum := &spent{load: &load{}}
	sum.add(slice(100, time.Second, 20*time.Millisecond))
	sum.add(slice(500, 2*time.Second, 40*time.Millisecond))
	if sum.rate() != 200 || sum.server.microseconds() != 60_000 || sum.server.Objects != 6 || sum.broker.Bytes != 10 {
		t.Errorf("got %+v of %+v", sum, sum.load)
	}
}
