// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"fmt"
	"math"
	"regexp/syntax"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

// matchName is the native that all functions with a regular expression call.
const matchName = "_match/3"

// Bounds of one regular expression. A short one may be large: a{1000} is as large as
// a thousand letters.
const (
	maxPattern      = 1000 // bytes
	maxInstructions = 1000
)

// regexps are the regular expressions of an expression, by their source.
type regexps map[string]effort

// effort is what a regular expression takes. Go's never goes back, so for one match
// that is at most instructions times bytes.
type effort struct {
	instructions int
	// reach is how many bytes it may look at after those that it matches.
	reach int
}

// hardest is the effort of what is not known.
var hardest = effort{maxInstructions, math.MaxInt}

// add takes a regular expression down. The error says what is wrong with it.
func (r regexps) add(source string) error {
	if len(source) > maxPattern {
		return fmt.Errorf("is longer than %d bytes", maxPattern)
	}
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return fmt.Errorf("is wrong: %w", err)
	}
	parsed = parsed.Simplify()
	program, err := syntax.Compile(parsed)
	if err != nil {
		return fmt.Errorf("is wrong: %w", err)
	}
	if len(program.Inst) > maxInstructions {
		return fmt.Errorf("has more than %d instructions", maxInstructions)
	}
	r[source] = effort{len(program.Inst), reach(parsed)}
	return nil
}

// reach is how far a regular expression may look in vain: nowhere where it repeats
// one character, because it matches what it looked at, and else at most what it can
// match.
func reach(re *syntax.Regexp) int {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	if (re.Op == syntax.OpPlus || re.Op == syntax.OpStar) && oneRune(re.Sub[0]) {
		return 0
	}
	return longest(re)
}

func oneRune(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		return len(re.Rune) == 1
	}
	return false
}

// longest is how many characters a regular expression matches at most.
func longest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat: // what is simplified has no other repetition
		return math.MaxInt
	case syntax.OpAlternate:
		n := 0
		for _, sub := range re.Sub {
			n = max(n, longest(sub))
		}
		return n
	}
	n := 0
	for _, sub := range re.Sub { // of a concatenation, a group, or what is optional
		length := longest(sub)
		if length > math.MaxInt-n {
			return math.MaxInt
		}
		n += length
	}
	return n
}

// matchCost is the least that a regular expression takes for a byte.
const matchCost = 32

// once is the cost of looking for one match in n bytes.
func (e effort) once(n int) int { return max(matchCost, e.instructions) * n }

// all is the cost of looking for all matches, which begins anew after each; then gojq
// counts the characters before each.
func (e effort) all(n int) int {
	return 2*e.once(n) + e.instructions*n/8*min(e.reach, n) + n*n/16
}

// cost implements cost for the native.
func (r regexps) cost(in any, args []any, _ int) int {
	s, _ := in.(string)
	source, _ := args[0].(string)
	e, ok := r[source]
	if !ok {
		e = hardest
	}
	n := min(len(s), maxBytes) // what is longer is beyond the bound, and its square no number
	if flags, _ := args[1].(string); args[2] == true || !strings.Contains(flags, "g") {
		return e.once(n) + len(flags)
	}
	return e.all(n)
}

// native is the call of it with this expression's costs.
func (r regexps) native() *native {
	n := *natives[matchName]
	n.cost = r.cost
	return &n
}

// option makes the native one of the expression's own: gojq keeps every regular
// expression that it compiled as long as the code that used it.
func (r regexps) option() gojq.CompilerOption {
	n := r.native()
	n.code = sync.OnceValue(func() *gojq.Code { return compileCall(matchName) })
	return callable(matchName, func(b *budget, in any, args []any) (any, error) {
		if flags, ok := args[1].(string); ok {
			args = []any{args[0], plainFlags(flags), args[2]}
		}
		return n.call(b, in, args)
	})
}

// plainFlags has each flag once: gojq compiles anew for whatever is written
// differently.
func plainFlags(flags string) string {
	if strings.Trim(flags, "gim") != "" {
		return flags // it fails
	}
	plain := ""
	for _, flag := range []string{"g", "i", "m"} {
		if strings.Contains(flags, flag) {
			plain += flag
		}
	}
	return plain
}
