// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/http"

	"github.com/google/uuid"
)

// correlationHeader is also in every answer.
const correlationHeader = "X-Correlation-Id"

const maxCorrelationID = 128

// correlationID is the one that a proxy or the sender gave the request, where it
// is well-formed, or a new UUID version 7.
func correlationID(h http.Header) string {
	for _, name := range []string{correlationHeader, "X-Request-Id"} {
		if id := h.Get(name); wellFormed(id) {
			return id
		}
	}
	return uuid.Must(uuid.NewV7()).String()
}

// wellFormed keeps correlation ids harmless in headers, logs and JSON: 1 to 128
// letters, digits, dots, underscores and dashes.
func wellFormed(id string) bool {
	if id == "" || len(id) > maxCorrelationID {
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
