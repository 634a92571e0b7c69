// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"github.com/itchyny/gojq"
)

// cost estimates how many bytes a call reads and writes. It may stop counting above
// most.
type cost func(in any, args []any, most int) int

// costs lists gojq's functions by what they cost. What is neither here nor in the
// prelude nor among the controls, mappings may not call.
var costs = []struct {
	cost  cost
	names string
}{
	{wide(2), `
		_add/2 _modulo/2 length/0 utf8bytelength/0 keys/0 has/1 type/0 reverse/0 toboolean/0 getpath/1 _slice/3 _captures/0
		startswith/1 endswith/1 ltrimstr/1 rtrimstr/1 trimstr/1 ltrim/0 rtrim/0 trim/0 ascii_downcase/0 ascii_upcase/0
		implode/0 gmtime/0 mktime/0 strptime/1`},
	{wide(2), `
		sin/0 cos/0 tan/0 asin/0 acos/0 atan/0 sinh/0 cosh/0 tanh/0 asinh/0 acosh/0 atanh/0 floor/0 round/0 nearbyint/0
		rint/0 ceil/0 trunc/0 significand/0 fabs/0 sqrt/0 cbrt/0 exp/0 exp10/0 exp2/0 expm1/0 frexp/0 modf/0 log/0 log10/0
		log1p/0 log2/0 logb/0 gamma/0 tgamma/0 lgamma/0 erf/0 erfc/0 j0/0 j1/0 y0/0 y1/0 atan2/2 copysign/2 drem/2 fdim/2
		fmax/2 fmin/2 fmod/2 hypot/2 jn/2 nextafter/2 nexttoward/2 remainder/2 ldexp/2 scalb/2 scalbln/2 yn/2 pow/2 fma/3
		infinite/0 isfinite/0 isinfinite/0 nan/0 isnan/0 isnormal/0`},
	// Every byte of a text may become a value of its own, or be padded.
	{wide(40), `explode/0 split/1 _divide/2 fromjson/0`},
	{wide(1024), `strftime/1`},
	{deep(2), `add/0 flatten/0 flatten/1 delpaths/1 bsearch/1`},
	{deep(8), `tojson/0 format/1 _tohtml/0 _touri/0 _tourid/0 _tocsv/0 _totsv/0 _tosh/0 _tobase64/0 _tobase64d/0`},
	{deep(20), `min/0 _min_by/1 max/0 _max_by/1 sort/0 _sort_by/1 _group_by/1 unique/0 _unique_by/1`},
	{toText, `tostring/0`},
	{toNumber, `tonumber/0`},
	{comparison, `_equal/2 _notequal/2 _greater/2 _less/2 _greatereq/2 _lesseq/2`},
	{product, `_subtract/2 contains/1 inside/1 indices/1 index/1 rindex/1`},
	{indexing, `_index/2`},
	{multiplication, `_multiply/2`},
	{transposition, `transpose/0`},
	{joining, `join/1`},
	{regexps(nil).cost, matchName},
}

// wide is the cost of functions that do not look into what values hold.
func wide(weight int) cost {
	return func(in any, args []any, _ int) int {
		n := width(in)
		for _, a := range args {
			n += width(a)
		}
		return n * weight
	}
}

// deep is the cost of functions that read all of their values.
func deep(weight int) cost {
	return func(in any, args []any, most int) int {
		n := size(in, most)
		for _, a := range args {
			n += size(a, most)
		}
		return n * weight
	}
}

func toText(in any, _ []any, most int) int {
	if _, ok := in.(string); ok {
		return 0
	}
	return 8 * size(in, most)
}

func toNumber(in any, _ []any, _ int) int {
	if s, ok := in.(string); ok {
		return digits(len(s))
	}
	return 0
}

// comparison ends where the smaller value ends.
func comparison(_ any, args []any, most int) int {
	l := size(args[0], most)
	return min(l, size(args[1], l))
}

// product is the cost of functions that compare everything of one value with
// everything of another.
func product(in any, args []any, most int) int {
	l, r := size(in, most), size(args[len(args)-1], most)
	if len(args) == 2 {
		l = size(args[0], most)
	}
	if text(in) && text(args[0]) {
		return 40*(l+r) + l*r/1024
	}
	return l + r + l*r/256
}

func text(v any) bool {
	_, ok := v.(string)
	return ok
}

// indexing reads the characters of a text; an array as the key is searched for.
func indexing(in any, args []any, most int) int {
	if _, ok := args[1].([]any); ok {
		return product(args[0], args[1:], most)
	}
	if s, ok := args[0].(string); ok {
		return len(s)
	}
	return 0
}

// multiplication repeats a text, multiplies numbers, or merges objects, however
// deep they are.
func multiplication(_ any, args []any, most int) int {
	for i, v := range args {
		if s, ok := v.(string); ok {
			n, _ := gojq.ToFloat64(args[1-i])
			return int(min(max(n, 1)*float64(len(s)), float64(most)+1)) + width(s)
		}
	}
	return size(args[0], most) + size(args[1], most)
}

func transposition(in any, _ []any, most int) int {
	rows, _ := in.([]any)
	longest := 0
	for _, row := range rows {
		if cells, ok := row.([]any); ok {
			longest = max(longest, len(cells))
		}
	}
	return width(in) + valueSize*len(rows)*longest
}

func joining(in any, args []any, most int) int {
	return 2*size(in, most) + width(in)/valueSize*width(args[0])
}
