// SPDX-License-Identifier: Apache-2.0

package filter

import (
	"fmt"
	"time"
)

// When is a time on the command line: RFC 3339, a date in UTC, or how long ago.
type When struct{ time.Time }

// UnmarshalText reads a flag's value.
func (w *When) UnmarshalText(text []byte) error {
	s := string(text)
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			w.Time = t
			return nil
		}
	}
	age, err := time.ParseDuration(s)
	if err != nil || age < 0 {
		return fmt.Errorf("%q is not a time: want 2026-01-31T15:04:05Z, 2026-01-31, or an age such as 90m or 36h", s)
	}
	w.Time = time.Now().Add(-age)
	return nil
}
