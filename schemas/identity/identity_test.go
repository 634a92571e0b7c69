// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"crypto/sha256"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFingerprintIsSHA256OverLengthPrefixedParts(t *testing.T) {
	sum := sha256.Sum256([]byte("\x00\x00\x00\x07default\x00\x00\x00\x06stripe\x00\x00\x00\x05evt_1"))
	if got := Of("default", "stripe", "evt_1"); got != Fingerprint(sum[:16]) {
		t.Errorf("got %s", got)
	}
	if got := Of("default", "stripe", "evt_1").String(); got != strings.ToLower(got) || len(got) != 32 {
		t.Errorf("String gives %q", got)
	}
}

// TestPartsAreNotAmbiguous moves characters from one part to the next.
func TestPartsAreNotAmbiguous(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab/\x00\x01")), 0, 3, -1), 3, 3)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		same := a[0] == b[0] && a[1] == b[1] && a[2] == b[2]
		if (Of(a[0], a[1], a[2]) == Of(b[0], b[1], b[2])) != same {
			t.Fatalf("%q and %q", a, b)
		}
	})
	if Of("ab", "c", "d") == Of("a", "bc", "d") || Of("a", "b", "") == Of("a", "", "b") {
		t.Error("a part runs over into the next")
	}
}

func TestMark(t *testing.T) {
	data, other := [32]byte{1, 2, 3, 4}, [32]byte{1, 2, 9, 4}
	cases := map[string]struct {
		a, b Mark
		want bool
	}{
		"same":                      {NewMark(data, 1), NewMark(data, 1), false},
		"other data":                {NewMark(data, 1), NewMark(other, 1), true},
		"other data, other mapping": {NewMark(data, 1), NewMark(other, 2), false},
		"same data, other mapping":  {NewMark(data, 1), NewMark(data, 2), false},
		"revision past eight bits":  {NewMark(data, 256), NewMark(other, 256), true},
	}
	for name, c := range cases {
		if c.a.Conflicts(c.b) != c.want || c.b.Conflicts(c.a) != c.want {
			t.Errorf("%s: want %v in both directions", name, c.want)
		}
	}
}
