// SPDX-License-Identifier: Apache-2.0

package pattern

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"field amount: \".amount\" failed": "field amount: \".amount\" failed",
		"no customer cus_Nffr2qLEM1":       "no customer cus_#",
		"stripe revision 12: charge.failed: line 3, column 14": "stripe revision #: charge.failed: line #, column #",
		"550e8400-e29b-41d4-a716-446655440000 is unknown":      "# is unknown",
		"deadbeef-e29b-41d4-a716-446655440000 is unknown":      "# is unknown",
		"at 2026-03-01T09:00:00.123456Z":                       "at #",
		"at 2026-03-01T09:00:00+02:00 exactly":                 "at # exactly",
		"1.50 is not -3":                                       "# is not -#",
		"10.0.0.1:5432 refused":                                "# refused",
		"events.payment.v1/0/42":                               "events.payment.v1/#/#",
		"want int64 in utf8":                                   "want int64 in utf8",
		"value \"ñandú_9\"":                                    "value \"ñandú_#\"",
		"token aBcDeFgHiJkLmNoPqR":                             "token #",
		"a ConstraintViolationException":                       "a ConstraintViolationException",
		"sha 9f86d081884c7d659a2feaa0c55ad015":                 "sha #",
		"\xff\xfe12":                                           "\xff\xfe#",
	} {
		if got := Of(in); got != want {
			t.Errorf("Of(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFingerprintKeepsPartsApart(t *testing.T) {
	if Fingerprint("a", "bc") == Fingerprint("ab", "c") {
		t.Error("parts run into each other")
	}
	if f := Fingerprint("a"); len(f) != 12 {
		t.Errorf("%q is not twelve digits", f)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("evt_1 at 10:00 \xff")
	f.Fuzz(func(t *testing.T, s string) {
		once := Of(s)
		if len(once) > len(s) {
			t.Errorf("Of(%q) is longer", s)
		}
		if strings.ContainsAny(once, "0123456789") && Of(once) != once {
			t.Errorf("Of(%q) = %q, and again %q", s, once, Of(once))
		}
	})
}

func BenchmarkOf(b *testing.B) {
	const message = "stripe revision 1: charge.failed: field amount: \".amount\": gives a string, want an integer for evt_1NffrZLkdIwHu7ix"
	for b.Loop() {
		Of(message)
	}
}
