// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"math/big"
)

const (
	// valueSize is about what a value takes in an array, objectSize what an
	// object takes, and entrySize what a member adds to it.
	valueSize, objectSize, entrySize = 16, 256, 48
	// maxNesting is how deeply values may nest. Bodies nest less, expressions
	// can build any depth, and functions that read values recurse.
	maxNesting = 1000
)

// size is about how many bytes v takes as if nothing in it were shared, which is
// what a function that reads all of v has to do. It stops counting above most.
func size(v any, most int) int { return sizeWithin(v, most, maxNesting) }

func sizeWithin(v any, most, depth int) int {
	n := width(v)
	switch v := v.(type) {
	case []any:
		for i := 0; i < len(v) && n <= most; i++ {
			n += sizeWithin(v[i], most-n, depth-1)
		}
	case map[string]any:
		for k, item := range v {
			if n += len(k); n > most {
				break
			}
			n += sizeWithin(item, most-n, depth-1)
		}
	default:
		return n
	}
	if depth == 0 {
		return most + 1
	}
	return n
}

// width is the size of v without what arrays and objects hold.
func width(v any) int {
	switch v := v.(type) {
	case string:
		return valueSize + len(v)
	case []any:
		return valueSize + valueSize*len(v)
	case map[string]any:
		return objectSize + entrySize*len(v)
	case *big.Int:
		return digits(v.BitLen() / 3)
	case json.Number: // from fromjson
		return digits(len(v))
	}
	return valueSize
}

// digits is the size of a number of n digits. Arithmetic and conversion are
// quadratic.
func digits(n int) int { return valueSize + n + n*n/64 }
