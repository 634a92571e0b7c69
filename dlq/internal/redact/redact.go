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
	"github.com/hookstream/hookstream/schemas/record"
)

// Letter is a copy of l with the structure of its JSON payload and none of the
// values, and without the values of headers that others chose: the request's, and
// another program's, whose key goes too. What is no JSON is replaced by its size.
// The failure's message stays: it may quote a value, and whoever passes it on reads
// it first.
func Letter(l *letters.Letter) *letters.Letter {
	d := *l.DeadLetter
	d.Value = Payload(d.Value)
	d.Headers = make(header.List, len(l.Headers))
	copy(d.Headers, l.Headers)
	for i, h := range d.Headers {
		if !ours(h.Key) {
			d.Headers[i].Value = []byte(size(len(h.Value)))
		}
	}
	if l.Other() {
		d.Key = []byte(size(len(d.Key)))
	}
	redacted := *l
	redacted.DeadLetter = &d
	return &redacted
}

// ours reports whether a header says what Hookstream found and not what the
// request held.
func ours(name string) bool {
	switch name {
	case header.SpecVersion, header.ID, header.Source, header.Type, header.Time, header.PartitionKey, header.CorrelationID,
		header.ContentType, header.TraceParent:
		return true
	case header.HTTPURL, header.BatchGap:
		return false
	}
	return strings.HasPrefix(name, "hookstream-") && !strings.HasPrefix(name, header.RequestPrefix)
}

func size(bytes int) string { return fmt.Sprintf("<%d bytes>", bytes) }

// Resolution is a copy of r, which may be nil, without what it quotes of the
// payload: the patch and the difference of an edit, of those before it too.
func Resolution(r *record.Resolution) *record.Resolution {
	if r == nil {
		return nil
	}
	redacted := *r
	if e := r.Edit; e != nil {
		redacted.Edit = &record.Edit{Diff: size(len(e.Diff))}
		if e.Patch != "" {
			redacted.Edit.Patch = size(len(e.Patch))
		}
	}
	redacted.Previous = Resolution(r.Previous)
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
