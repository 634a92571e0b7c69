// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"strconv"
	"time"
)

// Unit is how a provider writes a time.
type Unit string

// The units: seconds and milliseconds since the epoch, and RFC 3339.
const (
	Seconds      Unit = "s"
	Milliseconds Unit = "ms"
	RFC3339      Unit = "rfc3339"
)

var units = []string{string(Seconds), string(Milliseconds), string(RFC3339)}

// Parse reads a time in this unit and returns it in UTC.
func (u Unit) Parse(text string) (time.Time, error) {
	if u == RFC3339 {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return time.Time{}, fmt.Errorf("%.40q is not an RFC 3339 time", text)
		}
		return t.UTC(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is not a whole number of %s since the epoch", text, u)
	}
	if u == Milliseconds {
		return time.UnixMilli(n).UTC(), nil
	}
	return time.Unix(n, 0).UTC(), nil
}
