// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"testing"
	"time"
)

func TestDeadlinesAreSharedForAMoment(t *testing.T) {
	d := deadlines{timeout: time.Hour}
	now := time.Now()
	first := d.after(now)
	if at, ok := first.Deadline(); !ok || !at.Equal(now.Add(time.Hour)) {
		t.Errorf("ends at %s, want in an hour", at)
	}
	moment := d.timeout / joinFor
	if d.after(now.Add(moment-1)) != first {
		t.Error("a request shortly after has a deadline of its own")
	}
	later := now.Add(moment)
	second := d.after(later)
	if at, ok := second.Deadline(); !ok || !at.Equal(later.Add(time.Hour)) {
		t.Errorf("a request that comes later ends at %s, want an hour after it", at)
	}
	d.end()
	if second.Err() == nil {
		t.Error("the latest deadline goes on after the end")
	}
}
