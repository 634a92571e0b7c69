// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// quick answers the common cases of the common functions as gojq does; a fuzz test
// holds them to it.
var quick = map[string]func(in any, args []any) (any, bool){
	"_add/2":      quickAdd,
	"_subtract/2": onIntegers(1<<52, func(l, r int) int { return l - r }),
	"_multiply/2": onIntegers(1<<26, func(l, r int) int { return l * r }),
	"_index/2":    quickIndex,
	"_equal/2":    func(_ any, args []any) (any, bool) { return gojq.Compare(args[0], args[1]) == 0, true },
	"_notequal/2": func(_ any, args []any) (any, bool) { return gojq.Compare(args[0], args[1]) != 0, true },
	"_less/2":     func(_ any, args []any) (any, bool) { return gojq.Compare(args[0], args[1]) < 0, true },
	"_greater/2":  func(_ any, args []any) (any, bool) { return gojq.Compare(args[0], args[1]) > 0, true },
	"_lesseq/2":   func(_ any, args []any) (any, bool) { return gojq.Compare(args[0], args[1]) <= 0, true },
	"_greatereq/2": func(_ any, args []any) (any, bool) {
		return gojq.Compare(args[0], args[1]) >= 0, true
	},
	"ascii_upcase/0":   onText(strings.ToUpper, isASCII),
	"ascii_downcase/0": onText(strings.ToLower, isASCII),
	"startswith/1":     onTexts(func(s, t string) any { return strings.HasPrefix(s, t) }),
	"endswith/1":       onTexts(func(s, t string) any { return strings.HasSuffix(s, t) }),
	"ltrimstr/1":       onTexts(func(s, t string) any { return strings.TrimPrefix(s, t) }),
	"rtrimstr/1":       onTexts(func(s, t string) any { return strings.TrimSuffix(s, t) }),
	"contains/1":       onTexts(func(s, t string) any { return strings.Contains(s, t) }),
	"split/1":          onTexts(split),
	"tostring/0":       quickText,
	"tojson/0":         quickJSON,
	"length/0":         quickLength,
	"add/0":            quickSum,
	"join/1":           quickJoin,
	"strftime/1":       quickDate,
}

// quickAdd adds what is short; integers may overflow into big ones.
func quickAdd(_ any, args []any) (any, bool) {
	switch l := args[0].(type) {
	case nil:
		return args[1], true
	case string:
		if r, ok := args[1].(string); ok {
			return l + r, true
		}
	case int:
		if r, ok := args[1].(int); ok && small(l) && small(r) {
			return l + r, true
		}
	case map[string]any:
		if r, ok := args[1].(map[string]any); ok && len(r) == 0 {
			if len(l) == 0 {
				return r, true
			}
			return l, true
		}
	}
	if args[1] == nil {
		return args[0], true
	}
	return nil, false
}

func small(n int) bool { return -1<<52 < n && n < 1<<52 }

// onIntegers computes with integers below a limit, which do not overflow.
func onIntegers(limit int, f func(l, r int) int) func(in any, args []any) (any, bool) {
	return func(_ any, args []any) (any, bool) {
		l, ok1 := args[0].(int)
		r, ok2 := args[1].(int)
		if !ok1 || !ok2 || max(l, -l, r, -r) >= limit {
			return nil, false
		}
		return f(l, r), true
	}
}

func quickIndex(_ any, args []any) (any, bool) {
	switch v := args[0].(type) {
	case map[string]any:
		if key, ok := args[1].(string); ok {
			return v[key], true
		}
	case []any:
		if i, ok := args[1].(int); ok && i >= 0 {
			if i < len(v) {
				return v[i], true
			}
			return nil, true
		}
	}
	return nil, false
}

func onText(f func(string) string, applies func(string) bool) func(in any, args []any) (any, bool) {
	return func(in any, _ []any) (any, bool) {
		s, ok := in.(string)
		if !ok || !applies(s) {
			return nil, false
		}
		return f(s), true
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func onTexts(f func(s, t string) any) func(in any, args []any) (any, bool) {
	return func(in any, args []any) (any, bool) {
		s, ok1 := in.(string)
		t, ok2 := args[0].(string)
		if !ok1 || !ok2 {
			return nil, false
		}
		return f(s, t), true
	}
}

func split(s, sep string) any {
	if s == "" {
		return []any{}
	}
	parts := strings.Split(s, sep)
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out
}

func quickText(in any, _ []any) (any, bool) {
	switch v := in.(type) {
	case string:
		return v, true
	case int:
		return strconv.Itoa(v), true
	case bool:
		return strconv.FormatBool(v), true
	case nil:
		return "null", true
	case []any, map[string]any:
		return marshal(v), true
	}
	return nil, false
}

func quickJSON(in any, _ []any) (any, bool) {
	return marshal(in), true
}

func quickLength(in any, _ []any) (any, bool) {
	switch v := in.(type) {
	case nil:
		return 0, true
	case []any:
		return len(v), true
	case map[string]any:
		return len(v), true
	}
	return nil, false
}

// quickSum adds small integers.
func quickSum(in any, _ []any) (any, bool) {
	list, ok := in.([]any)
	if !ok || len(list) > 1<<10 {
		return nil, false
	}
	if len(list) == 0 {
		return nil, true
	}
	sum := 0
	for _, item := range list {
		n, ok := item.(int)
		if !ok || !small(n) {
			return nil, false
		}
		sum += n
	}
	return sum, true
}

func quickJoin(in any, args []any) (any, bool) {
	list, ok1 := in.([]any)
	sep, ok2 := args[0].(string)
	if !ok1 || !ok2 {
		return nil, false
	}
	var out strings.Builder
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		if i > 0 {
			out.WriteString(sep)
		}
		out.WriteString(s)
	}
	return out.String(), true
}

// todate is the format of todate.
const todate = "%Y-%m-%dT%H:%M:%SZ"

func quickDate(in any, args []any) (any, bool) {
	n, ok := in.(int)
	if !ok || args[0] != todate || n < 0 || n > 1<<37 { // until the year 6325
		return nil, false
	}
	return time.Unix(int64(n), 0).UTC().Format("2006-01-02T15:04:05Z"), true
}
