// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// MatchHost reports whether a host name is one of a pattern's: label for label,
// without case, * standing for any part of one label, never for a dot. A port, an
// empty label or a trailing dot never matches.
func MatchHost(pattern, host string) bool {
	want, got := strings.Split(strings.ToLower(pattern), "."), strings.Split(strings.ToLower(host), ".")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !validLabel.MatchString(got[i]) {
			return false
		}
		if ok, err := path.Match(want[i], got[i]); !ok || err != nil {
			return false
		}
	}
	return true
}

// PinnedURL parses a URL that a request gave, and refuses all but https without
// user, port or fragment, to a host that matches one of the patterns.
func PinnedURL(text string, patterns []string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%.100q is not a URL", text)
	}
	if u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Fragment != "" || (u.Port() != "" && u.Port() != "443") {
		return nil, fmt.Errorf("%.100q is not a plain https URL", text)
	}
	for _, p := range patterns {
		if MatchHost(p, u.Hostname()) {
			return u, nil
		}
	}
	return nil, fmt.Errorf("the host of %.100q is none of %s", text, strings.Join(patterns, ", "))
}

var (
	validLabel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	patternLabel = regexp.MustCompile(`^[a-z0-9*]([a-z0-9*-]{0,61}[a-z0-9*])?$`)
)

// checkHost refuses patterns that pin no domain.
func checkHost(pattern string) error {
	labels := strings.Split(pattern, ".")
	if len(labels) < 2 {
		return fmt.Errorf("%q is not a host name with a domain", pattern)
	}
	for i, label := range labels {
		if !patternLabel.MatchString(label) {
			return fmt.Errorf("%q is not a host name in lower case", pattern)
		}
		if i >= len(labels)-2 && strings.Contains(label, "*") {
			return fmt.Errorf("%q pins no domain: its last two labels must be literal", pattern)
		}
	}
	return nil
}
