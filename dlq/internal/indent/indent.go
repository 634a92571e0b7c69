// SPDX-License-Identifier: Apache-2.0

// Package indent indents JSON for people. Indented, a value that nests deeply is
// many times as large, so what would become too large is left as it is.
package indent

import (
	"bytes"
	"encoding/json"
)

// maxBytes bounds what is indented, with the spaces.
const maxBytes = 8 << 20

const step = "  "

// JSON gives data with each member and element on a line of its own, and false where
// it is no JSON or would take more than some MiB.
func JSON(data []byte) ([]byte, bool) {
	if size(data) > maxBytes {
		return nil, false
	}
	var b bytes.Buffer
	if json.Indent(&b, data, "", step) != nil {
		return nil, false
	}
	return b.Bytes(), true
}

// size is at least what data takes once it is indented, or above maxBytes.
func size(data []byte) int {
	n, depth, text := len(data), 0, false
	for i := 0; i < len(data) && n <= maxBytes; i++ {
		switch c := data[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{', c == '[':
			depth++
			n += 1 + depth*len(step)
		case c == '}', c == ']':
			depth = max(0, depth-1)
			n += 1 + depth*len(step)
		case c == ',':
			n += 1 + depth*len(step)
		case c == ':':
			n++
		}
	}
	return n
}
