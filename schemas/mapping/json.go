// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// texts are reused: only what a text takes itself is allocated for it.
var texts = sync.Pool{New: func() any { return new([]byte) }}

// marshal is v as JSON.
func marshal(v any) string {
	buf := texts.Get().(*[]byte) //nolint:errcheck,forcetypeassert // nothing else is put there
	defer texts.Put(buf)
	*buf = appendJSON((*buf)[:0], v)
	return string(*buf)
}

// appendJSON writes v as gojq.Marshal does, byte for byte, without a buffer and a
// list of members for every object.
func appendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case string:
		return appendText(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, item)
		}
		return append(dst, ']')
	case map[string]any:
		return appendObject(dst, v)
	}
	return appendOther(dst, v)
}

// fewNames is how many names of an object are sorted without allocating.
const fewNames = 16

// sortedNames appends the names of an object's members to names, which is empty, in
// order.
func sortedNames(names []string, object map[string]any) []string {
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func appendObject(dst []byte, object map[string]any) []byte {
	var few [fewNames]string
	dst = append(dst, '{')
	for i, name := range sortedNames(few[:0], object) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, name), ':')
		dst = appendJSON(dst, object[name])
	}
	return append(dst, '}')
}

// appendText writes a text itself that needs no escapes.
func appendText(dst []byte, s string) []byte {
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f || c == '"' || c == '\\' {
			return appendOther(dst, s)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii && !utf8.ValidString(s) {
		return appendOther(dst, s)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

func appendOther(dst []byte, v any) []byte {
	text, _ := gojq.Marshal(v) // it has no errors
	return append(dst, text...)
}
