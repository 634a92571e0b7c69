// SPDX-License-Identifier: Apache-2.0

package history

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/schemas/record"
)

// TestDifferencesAreBounded: those of the newest runs are kept, whatever the
// order in which they are read.
func TestDifferencesAreBounded(t *testing.T) {
	const n, size = 500, 32 << 10
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	h := New("", "", time.Time{})
	for i := range n {
		i = i * 7 % n
		err := h.Add(fmt.Sprint(i), &record.Resolution{
			DeadLetterID: fmt.Sprint(i), Action: record.Replayed, By: "ann", ReplayID: fmt.Sprint("r", i),
			At: at.Add(time.Duration(i) * time.Hour), Edit: &record.Edit{Diff: strings.Repeat("x", size)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for i, run := range h.Runs() {
		if run.Diff != leftOut {
			held += len(run.Diff)
		} else if i == 0 {
			t.Error("the newest is left out")
		}
		if run.Edited != 1 {
			t.Errorf("%s has %d edited", run.ReplayID, run.Edited)
		}
	}
	if held == 0 || held > maxDiffs || len(h.Runs()) != n {
		t.Errorf("%d runs hold %d bytes", len(h.Runs()), held)
	}
}
