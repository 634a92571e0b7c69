// SPDX-License-Identifier: Apache-2.0

// Package redact takes the values out of a dead letter, so that it can be shown
// to others.
package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hookstream/hookstream/dlq/internal/letters"
	"github.com/hookstream/hookstream/schemas/header"
)

// Letter is a copy of l with the structure of its JSON payload and none of the
// values, and without the values of the request's headers. A payload that is no
// JSON is replaced by its size. The failure's message stays: it may quote a
// value, and whoever passes it on reads it first.
func Letter(l *letters.Letter) *letters.Letter {
	d := *l.DeadLetter
	d.Value = Payload(d.Value)
	d.Headers = make(header.List, len(l.Headers))
	copy(d.Headers, l.Headers)
	for i, h := range d.Headers {
		if strings.HasPrefix(h.Key, header.RequestPrefix) {
			d.Headers[i].Value = []byte(fmt.Sprintf("<%d bytes>", len(h.Value)))
		}
	}
	redacted := *l
	redacted.DeadLetter = &d
	return &redacted
}

// Payload is JSON with every value replaced by its type and size. Names stay, in
// their order.
func Payload(value []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var b bytes.Buffer
	if !json.Valid(value) || write(&b, decoder) != nil {
		return fmt.Appendf(nil, "<%d bytes, no JSON>", len(value))
	}
	return b.Bytes()
}

// write copies the next value of valid JSON without what it says.
func write(b *bytes.Buffer, in *json.Decoder) error {
	token, err := in.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		return container(b, in, t)
	case string:
		fmt.Fprintf(b, `"<string of %d>"`, utf8.RuneCountInString(t))
	case json.Number:
		b.WriteString(`"<number>"`)
	case bool:
		b.WriteString(`"<true or false>"`)
	default:
		b.WriteString("null")
	}
	return nil
}

func container(b *bytes.Buffer, in *json.Decoder, open json.Delim) error {
	b.WriteString(open.String())
	for first := true; in.More(); first = false {
		if !first {
			b.WriteByte(',')
		}
		if open == '{' {
			if err := name(b, in); err != nil {
				return err
			}
		}
		if err := write(b, in); err != nil {
			return err
		}
	}
	end, err := in.Token()
	if err == nil {
		fmt.Fprint(b, end)
	}
	return err
}

func name(b *bytes.Buffer, in *json.Decoder) error {
	token, err := in.Token()
	if err != nil {
		return err
	}
	text, err := json.Marshal(token)
	b.Write(text)
	b.WriteByte(':')
	return err
}
