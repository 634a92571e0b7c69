// SPDX-License-Identifier: Apache-2.0

package journey

import (
	"testing"
	"time"
)

// TestNoRecordIsBeforeWhatItWasMadeOf: Kafka cuts the times of records to
// milliseconds. A clock that is really behind still shows.
func TestNoRecordIsBeforeWhatItWasMadeOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 746_558_000, time.UTC)
	for _, c := range []struct{ written, want time.Time }{
		{at.Truncate(time.Millisecond), at},
		{at.Add(time.Microsecond), at.Add(time.Microsecond)},
		{at.Add(-time.Second), at.Add(-time.Second)},
	} {
		walk := &trail{out: &Delivery{}}
		walk.add(&Hop{Kind: Resolution}, at)
		h := walk.add(&Hop{Kind: Raw}, c.written)
		if !h.At.Equal(c.want) || *h.AfterSeconds != c.want.Sub(at).Seconds() {
			t.Errorf("written at %s: shown at %s, %vs after", c.written, h.At, *h.AfterSeconds)
		}
	}
}
