// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"strings"
	"testing"
	"unsafe"
)

// TestWhatIsCutIsACopy: a part of a text keeps all of it in memory.
func TestWhatIsCutIsACopy(t *testing.T) {
	long := strings.Repeat("x", 8<<20)
	kept := cut(long)
	if len(kept) != maxText {
		t.Errorf("%d bytes are kept", len(kept))
	}
	if unsafe.StringData(kept) == unsafe.StringData(long) {
		t.Error("what is kept is a part of what was sent")
	}
}
