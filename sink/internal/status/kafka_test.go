// SPDX-License-Identifier: Apache-2.0

package status

import "testing"

func TestHostOf(t *testing.T) {
	for written, want := range map[string]string{
		"/192.0.2.1":       "192.0.2.1",
		"192.0.2.1":        "192.0.2.1",
		"192.0.2.1:50123":  "192.0.2.1",
		"/2001:db8::1":     "2001:db8::1",
		"[2001:db8::1]:42": "2001:db8::1",
		"sink-0.internal":  "sink-0.internal",
	} {
		if got := hostOf(written); got != want {
			t.Errorf("host of %q is %q, want %q", written, got, want)
		}
	}
}
