// SPDX-License-Identifier: Apache-2.0

package body

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFields bounds a form, as browsers' and servers' usual limits do.
const maxFields = 1000

// field is one of a form's, with all its values.
type field struct {
	name   string
	values []string
}

// parseForm reads application/x-www-form-urlencoded (WHATWG URL, section 5.1) and
// keeps the fields in the order in which they come.
func parseForm(data []byte) ([]field, error) {
	if strings.Count(string(data), "&") >= maxFields {
		return nil, fmt.Errorf("body is a form of more than %d fields", maxFields)
	}
	var fields []field
	index := map[string]int{}
	for pair := range strings.SplitSeq(string(data), "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, fmt.Errorf("body is not a form: field %d is not encoded as one", len(fields)+1)
		}
		i, seen := index[name]
		if !seen {
			i, index[name] = len(fields), len(fields)
			fields = append(fields, field{name: name})
		}
		fields[i].values = append(fields[i].values, value)
	}
	return fields, nil
}

// FormField is the value of a form's field, or all fields as FormJSON writes them
// where it has no such field.
func FormField(data []byte, name string) ([]byte, error) {
	fields, err := parseForm(data)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		switch {
		case f.name == name && len(f.values) > 1:
			return nil, fmt.Errorf("body is a form with %d fields %s", len(f.values), name)
		case f.name == name:
			return []byte(f.values[0]), nil
		}
	}
	return fieldsJSON(fields), nil
}

// FormJSON writes a form as a JSON object of strings, a field that is repeated as an
// array of them.
func FormJSON(data []byte) ([]byte, error) {
	fields, err := parseForm(data)
	if err != nil {
		return nil, err
	}
	return fieldsJSON(fields), nil
}

func fieldsJSON(fields []field) []byte {
	out := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, f.name), ':')
		if len(f.values) == 1 {
			out = appendText(out, f.values[0])
			continue
		}
		for j, v := range f.values {
			out = appendText(append(out, "[,"[min(j, 1)]), v)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// appendText quotes text that parseForm found valid.
func appendText(out []byte, text string) []byte {
	out, _ = jsontext.AppendQuote(out, text)
	return out
}

// IsForm reports whether a Content-Type is a form's.
func IsForm(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}
