// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"hash/crc32"
	"strconv"
	"strings"
)

// Filter changes the text that a reference found.
type Filter string

// The filters.
const (
	// Lower and Upper change the letters' case.
	Lower Filter = "lower"
	Upper Filter = "upper"
	// CRC32 is the IEEE checksum, in decimal, as PayPal signs bodies.
	CRC32 Filter = "crc32"
	// Unescape decodes those percent-encoded characters that HubSpot decodes
	// in the URLs that it signs, and no others.
	// https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests
	Unescape Filter = "unescape"
	// Hide is nothing: the reference only has to lead somewhere. So the kind of
	// a webhook that does not name it can be told from what is there.
	Hide Filter = "hide"
	// Sign is the signature of the text under the pair's first key, by the
	// definition's first hmac scheme. Handshakes are answered with it. It signs
	// letters, digits and -_=+/ only: else whoever may ask for a handshake could
	// have a webhook's body signed.
	Sign Filter = "sign"
)

var filterNames = []Filter{Lower, Upper, CRC32, Unescape, Hide, Sign}

var hubspot = strings.NewReplacer("%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$",
	"%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";")

// Apply runs the filter, unless it is Sign, which needs a key: see Expander.
func (f Filter) Apply(text string) string {
	switch f {
	case Lower:
		return strings.ToLower(text)
	case Upper:
		return strings.ToUpper(text)
	case CRC32:
		return strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(text))), 10)
	case Unescape:
		return hubspot.Replace(text)
	case Hide:
		return ""
	}
	return text
}

// isChallenge reports whether Sign signs the text: it must not be mistaken for the
// signed content of a webhook, which is or contains JSON, a form or a time and a
// separator.
func isChallenge(text string) bool {
	for i := range len(text) {
		c := text[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("-_=+/", rune(c)) {
			return false
		}
	}
	return true
}
