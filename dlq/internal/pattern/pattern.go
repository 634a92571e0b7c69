// SPDX-License-Identifier: Apache-2.0

// Package pattern tells which failures are the same one: it takes out of a
// message what differs from record to record.
package pattern

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hole stands for an id, a number or a time.
const hole = "#"

// Of is message with ids, numbers and times replaced by #. What has no digit is
// left alone: the names of fields, types and constraints are what tells failures
// apart.
func Of(message string) string {
	var b strings.Builder
	b.Grow(len(message))
	for len(message) > 0 {
		n := wordLength(message)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(message)
			b.WriteString(message[:n])
		} else {
			b.WriteString(word(message[:n]))
		}
		message = message[n:]
	}
	return b.String()
}

// wordLength is how much of the start of s belongs together: letters, digits,
// - and _, and in what begins with a digit also the . : + that join numbers.
func wordLength(s string) int {
	number := digit(s[0])
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '_', r == '-' && i > 0:
		case number && (r == '.' || r == ':' || r == '+') && i+1 < len(s) && digit(s[i+1]):
		default:
			return i
		}
	}
	return len(s)
}

// word keeps a word, the prefix of an id such as evt_, or nothing.
func word(w string) string {
	first := strings.IndexFunc(w, unicode.IsDigit)
	switch {
	case first < 0 && !random(w), version(w, first):
		return w
	case first == 0:
		return hole
	}
	// A prefix ends at _ or -, and is a name: not half a UUID.
	if i := strings.LastIndexAny(w[:max(first, 0)], "_-"); i > 0 && !isHex(w[:i]) {
		return w[:i+1] + hole
	}
	return hole
}

// longWord is where a word without digits is an id if its letters look drawn.
const longWord = 16

// random reports whether letters change their case as only drawn ones do.
func random(w string) bool {
	if len(w) < longWord || strings.ContainsAny(w, "_-") {
		return false
	}
	changes := 0
	for i := 1; i < len(w); i++ {
		if upper(w[i]) != upper(w[i-1]) {
			changes++
		}
	}
	return changes > len(w)/3
}

// version reports whether w is a short name that ends in a digit or two, as v1,
// utf8 and int64 do.
func version(w string, first int) bool {
	return first > 0 && len(w) <= 8 && len(w)-first <= 2 && !strings.ContainsAny(w, "_-") && strings.IndexFunc(w[first:], unicode.IsLetter) < 0
}

func isHex(w string) bool {
	return len(w) >= 4 && strings.Trim(w, "0123456789abcdefABCDEF-") == ""
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

// Fingerprint names the failures that the parts have in common, in twelve
// hexadecimal digits: of a million kinds of failure, two share one with a chance
// of one in five hundred.
func Fingerprint(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}
