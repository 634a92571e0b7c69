// SPDX-License-Identifier: Apache-2.0

package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// reader walks a body. What it reads lies in the body and is never copied.
type reader struct {
	dec  *jsontext.Decoder
	buf  bytes.Buffer
	data []byte
	// values is how many values were made of it.
	values int
}

// readers are reused: a decoder's stacks are most of what reading a body allocates.
var readers = sync.Pool{New: func() any { return &reader{dec: jsontext.NewDecoder(&bytes.Buffer{})} }}

// repeatable leaves it to whoever reads an object to see that a name comes twice. The
// decoder compares each name with all before it, whether it is wanted or not: for
// objects of some forty members that was a sixth of an event.
var repeatable = jsontext.AllowDuplicateNames(true)

// newReader starts at the body's beginning. The caller must release it, after an
// error too, which says that the body nests too deeply.
func newReader(data []byte, options ...jsontext.Options) (*reader, error) {
	r := readers.Get().(*reader) //nolint:errcheck,forcetypeassert // nothing else is put there
	r.data, r.buf = data, *bytes.NewBuffer(data)
	r.dec.Reset(&r.buf, options...)
	return r, checkDepth(data)
}

// release gives up the body, so that the pool keeps none alive.
func (r *reader) release() {
	r.data, r.values, r.buf = nil, 0, bytes.Buffer{}
	r.dec.Reset(&r.buf)
	readers.Put(r)
}

// checkDepth refuses what nests deeper than MaxDepth, before anything recurses.
// Few bodies have so many brackets that one has to look closer.
func checkDepth(data []byte) error {
	if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) <= MaxDepth {
		return nil
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '[', '{':
			if depth++; depth > MaxDepth {
				return fmt.Errorf("body nests deeper than %d at byte %d", MaxDepth, i)
			}
		case ']', '}':
			depth--
		case '"':
			i = endOfString(data, i)
		}
	}
	return nil
}

// endOfString is where the string that begins at i ends, or the last byte.
func endOfString(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}

// delim reads a bracket or brace.
func (r *reader) delim() error {
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntaxError(err)
	}
	return nil
}

// raw reads the next value, or an object's name, as it is written.
func (r *reader) raw() (jsontext.Value, error) {
	v, err := r.dec.ReadValue()
	if err != nil {
		return nil, r.syntaxError(err)
	}
	return v, nil
}

// offset is where what was read last ends.
func (r *reader) offset() int { return int(r.dec.InputOffset()) }

// end checks that nothing follows the value.
func (r *reader) end() error {
	if len(bytes.Trim(r.data[r.offset():], " \t\r\n")) == 0 {
		return nil
	}
	if _, err := r.dec.ReadValue(); err != nil {
		return r.syntaxError(err)
	}
	return fmt.Errorf("body holds more than one JSON value, the second ends at byte %d", r.offset())
}

// syntaxError says where and what, without quoting the body: it is written to
// logs and dead letters.
func (r *reader) syntaxError(err error) error {
	var syntactic *jsontext.SyntacticError
	found := errors.As(err, &syntactic)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && found:
		return repeated(syntactic.ByteOffset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("body ends in the middle of the JSON value, after byte %d", len(r.data))
	case found:
		return fmt.Errorf("body is not valid JSON%s at byte %d", r.defect(syntactic.ByteOffset), syntactic.ByteOffset)
	}
	return fmt.Errorf("body is not valid JSON at byte %d", r.offset())
}

// escape begins the four hexadecimal digits of a UTF-16 code unit.
var escape = []byte(`\u`)

// defect says what is wrong at a place where many would see nothing: other readers of
// JSON put U+FFFD there, and so change what was signed (RFC 7493, section 2.1).
func (r *reader) defect(at int64) string {
	if at < 0 || at >= int64(len(r.data)) {
		return ""
	}
	rest := r.data[at:]
	if c, n := utf8.DecodeRune(rest); c == utf8.RuneError && n == 1 {
		return ": it has a byte that is not UTF-8"
	}
	if len(rest) < 6 || !bytes.HasPrefix(rest, escape) {
		return ""
	}
	unit, err := strconv.ParseUint(string(rest[2:6]), 16, 16)
	if err == nil && utf16.IsSurrogate(rune(unit)) {
		return ": it has half of a surrogate pair, which is no character,"
	}
	return ""
}

// repeats is the error of a name that was read just now.
func (r *reader) repeats(name []byte) error { return repeated(int64(r.offset() - len(name))) }

func repeated(at int64) error { return fmt.Errorf("body repeats an object's name at byte %d", at) }

// unquote is the text of a string as JSON writes it, which must be valid. It lies in
// the body unless it has escapes.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // it was read, so it is valid
	return text
}
