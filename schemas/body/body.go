// SPDX-License-Identifier: Apache-2.0

// Package body reads JSON webhook bodies under one set of rules, at the edge
// and in transform alike: RFC 8259 with unique names and valid UTF-8 (RFC 7493,
// I-JSON), bounded depth, nothing after the value, integers exact.
package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deeply objects and arrays may nest.
const MaxDepth = 128

// maxDigits bounds a number's text, because parsing a long integer is
// quadratic in its length.
const maxDigits = 400

// reader walks a body's tokens.
type reader struct {
	dec *jsontext.Decoder
}

func newReader(data []byte) *reader {
	return &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(data))}
}

func (r *reader) next() (jsontext.Token, error) {
	tok, err := r.dec.ReadToken()
	if err != nil {
		return tok, syntaxError(r.dec, err)
	}
	if r.dec.StackDepth() > MaxDepth {
		return tok, fmt.Errorf("body nests deeper than %d at byte %d", MaxDepth, r.dec.InputOffset())
	}
	return tok, nil
}

// end checks that nothing follows the value.
func (r *reader) end() error {
	_, err := r.dec.ReadToken()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return syntaxError(r.dec, err)
	}
	return fmt.Errorf("body holds more than one JSON value, the second ends at byte %d", r.dec.InputOffset())
}

// syntaxError says where and what, without quoting the body: it is written to
// logs and dead letters.
func syntaxError(dec *jsontext.Decoder, err error) error {
	offset := dec.InputOffset()
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("body repeats an object's name at byte %d", offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("body ends in the middle of the JSON value, after byte %d", offset)
	case errors.As(err, &syntactic):
		return fmt.Errorf("body is not valid JSON at byte %d", syntactic.ByteOffset)
	}
	return fmt.Errorf("body is not valid JSON at byte %d", offset)
}

// Decode reads a body into the values that jq works on: nil, bool, int,
// *big.Int, float64, string, []any and map[string]any.
func Decode(data []byte) (any, error) {
	r := newReader(data)
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	return v, r.end()
}

func (r *reader) value() (any, error) {
	tok, err := r.next()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return tok.String(), nil
	case '0':
		return number(tok.String())
	case 't', 'f':
		return tok.Bool(), nil
	default:
		return nil, nil
	}
}

func (r *reader) object() (any, error) {
	m := map[string]any{}
	for r.dec.PeekKind() != '}' {
		name, err := r.next()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if m[key], err = r.value(); err != nil {
			return nil, err
		}
	}
	_, err := r.next()
	return m, err
}

func (r *reader) array() (any, error) {
	a := []any{}
	for r.dec.PeekKind() != ']' {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := r.next()
	return a, err
}

func number(text string) (any, error) {
	if len(text) > maxDigits {
		return nil, fmt.Errorf("body holds a number of %d characters, at most %d are allowed", len(text), maxDigits)
	}
	if n, err := strconv.Atoi(text); err == nil {
		return n, nil
	}
	if n, ok := new(big.Int).SetString(text, 10); ok {
		return n, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errors.New("body holds a number outside the range of a double")
	}
	return f, nil
}
