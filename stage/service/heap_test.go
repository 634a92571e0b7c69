// SPDX-License-Identifier: Apache-2.0

package service

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestHeapFloor: five times the heap that Go first collects at is dropped
// without a collection, and a GOGC that somebody set stays in charge.
func TestHeapFloor(t *testing.T) {
	t.Cleanup(func() { heapFloor = nil })
	t.Setenv("GOGC", "100")
	RaiseHeapFloor()
	if heapFloor != nil {
		t.Fatal("GOGC is set, and the floor too")
	}
	if err := os.Unsetenv("GOGC"); err != nil { // Setenv restores it
		t.Fatal(err)
	}
	RaiseHeapFloor()
	runtime.GC() // from here on the floor counts
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	for range 20 {
		sink = make([]byte, 1<<20)
	}
	debug.ReadGCStats(&after)
	if n := after.NumGC - before.NumGC; n != 0 {
		t.Errorf("%d collections for 20 MB", n)
	}
}

var sink []byte
