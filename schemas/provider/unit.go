// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unit is how a provider writes a time.
type Unit string

// The units.
const (
	// Seconds since the epoch, also with a decimal fraction.
	Seconds Unit = "s"
	// Milliseconds since the epoch.
	Milliseconds Unit = "ms"
	RFC3339      Unit = "rfc3339"
	// DateTime is ISO 8601 without a zone, in UTC: a T or a blank between date
	// and time, and a fraction of a second where there is one. " UTC" may
	// follow, as GitLab writes it.
	DateTime Unit = "datetime"
)

var units = []Unit{Seconds, Milliseconds, RFC3339, DateTime}

// Parse reads a time in this unit and returns it in UTC.
func (u Unit) Parse(text string) (time.Time, error) {
	switch u {
	case RFC3339:
		return parseLayout(time.RFC3339Nano, text, "an RFC 3339 time")
	case DateTime:
		text = strings.TrimSuffix(text, " UTC")
		layout := "2006-01-02T15:04:05"
		if strings.Contains(text, " ") {
			layout = time.DateTime
		}
		return parseLayout(layout, text, "a date and time without a zone")
	case Milliseconds:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return time.Time{}, notANumber(text, u)
		}
		return time.UnixMilli(n).UTC(), nil
	}
	return parseSeconds(text)
}

func parseLayout(layout, text, what string) (time.Time, error) {
	t, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.40q is not %s", text, what)
	}
	return t.UTC(), nil
}

// parseSeconds reads digits and a fraction, exactly: a float64 is off by some
// hundred nanoseconds today.
func parseSeconds(text string) (time.Time, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.HasSuffix(text, ".") || strings.HasPrefix(whole, "-") && fraction != "" {
		return time.Time{}, notANumber(text, Seconds)
	}
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return time.Time{}, notANumber(text, Seconds)
		}
	}
	nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64) // only digits
	return time.Unix(n, nanos).UTC(), nil
}

func notANumber(text string, u Unit) error {
	return fmt.Errorf("%.40q is not a number of %s since the epoch", text, u)
}
