// SPDX-License-Identifier: Apache-2.0

// Package correlation finds the id by which one HTTP request is known in answers,
// log lines, records and rows.
package correlation

import (
	"net/http"

	"github.com/google/uuid"
)

// Header is also in every answer.
const Header = "X-Correlation-Id"

const maxID = 128

// ID is the one that a proxy or the sender gave the request, in Header or else in
// X-Request-Id, where it is well-formed, or a new UUID version 7.
func ID(h http.Header) string {
	for _, name := range [...]string{Header, "X-Request-Id"} {
		if id := h.Get(name); WellFormed(id) {
			return id
		}
	}
	return uuid.Must(uuid.NewV7()).String()
}

// WellFormed reports whether an id can be a correlation id: 1 to 128 letters,
// digits, dots, underscores and dashes, which are harmless in headers, logs, JSON
// and a shell.
func WellFormed(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
