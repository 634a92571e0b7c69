// SPDX-License-Identifier: Apache-2.0

// Package body reads JSON webhook bodies under one set of rules, at the edge
// and in transform alike: RFC 8259 with unique names and valid UTF-8 (RFC 7493,
// I-JSON), bounded depth, nothing after the value, integers exact.
package body

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
)

// MaxDepth is how deeply objects and arrays may nest.
const MaxDepth = 128

// MaxValues is how many values are made of one body: a few bytes of JSON become many
// bytes of memory. What is only validated does not count.
const MaxValues = 1 << 20

// maxDigits bounds a number's text, because parsing a long integer is
// quadratic in its length.
const maxDigits = 400

// Decode reads a body into the values that jq works on: nil, bool, int,
// *big.Int, float64, string, []any and map[string]any.
func Decode(data []byte) (any, error) { return whole.Decode(data) }

// Validate checks that a body keeps all the rules, in every part of it.
func Validate(data []byte) error {
	r, err := newReader(data)
	defer r.release()
	if err != nil {
		return err
	}
	if _, err := r.raw(); err != nil {
		return err
	}
	return r.end()
}

func number(written []byte) (any, error) {
	if n, err := strconv.Atoi(string(written)); err == nil { // which most are
		return n, nil
	}
	text := string(written)
	if len(text) > maxDigits {
		return nil, fmt.Errorf("body holds a number of %d characters, at most %d are allowed", len(text), maxDigits)
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
