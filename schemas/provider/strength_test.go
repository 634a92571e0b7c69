// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"strings"
	"testing"
)

// ranked are two schemes, of which the second says text.
func ranked(first, second, text string) string {
	schemes := map[string]string{
		"timed":   `scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: X-T}, timestamp: {header: X-At, unit: s, tolerance: 5m}, signed: "{timestamp}{body}", secret: {encoding: raw}`,
		"ignored": `scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: X-I}, timestamp: {header: X-At, unit: s, tolerance: 0s}, signed: "{timestamp}{body}", secret: {encoding: raw}`,
		"untimed": `scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: X-U}, signed: "{body}", secret: {encoding: raw}`,
		"sha1":    `scheme: hmac, algorithm: sha1, encoding: hex, signature: {header: X-1}, signed: "{body}", secret: {encoding: raw}`,
		"hash":    `scheme: hash, algorithm: sha256, encoding: hex, signature: {header: X-H}, signed: "{secret}{body}", secret: {encoding: raw}`,
		"part":    `scheme: hmac, algorithm: sha256, encoding: hex, signature: {header: X-P}, signed: "{body.id}", unsigned_body: true, secret: {encoding: raw}`,
		"token":   `scheme: token, signature: {header: X-K}, unsigned_body: true`,
		"basic":   `scheme: basic, unsigned_body: true`,
	}
	return fmt.Sprintf("  - {name: first, %s}\n  - {name: second, %s%s}\n", schemes[first], schemes[second], text)
}

// TestSchemesAreRanked: whoever writes a definition cannot overlook that a weaker
// scheme gives a stronger one away.
func TestSchemesAreRanked(t *testing.T) {
	const why, accepted = ", weaker: {why: so}", ", weaker: {why: so, accepted: there is no other}"
	for _, c := range []struct{ first, second, text, want string }{
		{"timed", "untimed", "", "is weaker than first: it checks no signed time"},
		{"timed", "ignored", "", "is weaker than first: it checks no signed time"},
		{"untimed", "sha1", "", "is weaker than first: it rests on SHA-1 or on a plain hash"},
		{"untimed", "hash", "", "is weaker than first: it rests on SHA-1 or on a plain hash"},
		{"untimed", "part", "", "is weaker than first: it does not cover the body"},
		{"part", "token", "", "is weaker than first: it sends the secret itself"},
		{"part", "basic", "", "is weaker than first: it sends the secret itself"},
		{"sha1", "untimed", "", "is stronger than first, which rests on SHA-1 or on a plain hash; the strongest comes first"},
		{"token", "timed", "", "is stronger than first, which does not cover the body; the strongest comes first"},
		{"untimed", "ignored", why, "is not weaker than a scheme before it"},
		{"timed", "untimed", ", weaker: {accepted: so}", "says not why"},
		{"timed", "untimed", why, ""},
		{"timed", "untimed", accepted, ""},
		{"untimed", "ignored", "", ""},
		{"token", "basic", "", ""},
	} {
		t.Run(c.first+", "+c.second+c.text, func(t *testing.T) {
			_, err := Parse("acme.yaml", []byte(withVerify(ranked(c.first, c.second, c.text), "")))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), "acme.yaml:7: verify[1]") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
