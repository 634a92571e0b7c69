// SPDX-License-Identifier: Apache-2.0

package indent

import (
	"strings"
	"testing"
)

func TestJSON(t *testing.T) {
	got, ok := JSON([]byte(`{"a":[1,"x,[{\"y"],"b":{}}`))
	if want := "{\n  \"a\": [\n    1,\n    \"x,[{\\\"y\"\n  ],\n  \"b\": {}\n}"; !ok || string(got) != want {
		t.Errorf("got %s, %v", got, ok)
	}
	if n := size([]byte(`{"a":[1,"x,[{\"y"],"b":{}}`)); n < len(got) {
		t.Errorf("%d bytes are reckoned as %d", len(got), n)
	}
	if _, ok := JSON([]byte(`{"a":`)); ok {
		t.Error("what is no JSON is indented")
	}
}

// TestWhatNestsDeeplyIsLeft: a megabyte would become ten gigabytes.
func TestWhatNestsDeeplyIsLeft(t *testing.T) {
	const depth = 9000
	deep := strings.Repeat("[", depth) + strings.Repeat("1,", 500_000) + "1" + strings.Repeat("]", depth)
	if _, ok := JSON([]byte(deep)); ok {
		t.Error("it is indented")
	}
}
