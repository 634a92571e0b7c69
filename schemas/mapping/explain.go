// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"

	"github.com/hookstream/hookstream/schemas/body"
)

// mistyped is the failure of a step of a path, worded as gojq does.
type mistyped struct{ what, got string }

// Error names the type alone.
func (m mistyped) Error() string { return m.what + ": " + m.got }

// The failures by the type that was got: definitions try paths that bodies do not have,
// and making an error each time would allocate.
var (
	notObjects   = ofEachType("expected an object but got")
	notArrays    = ofEachType("expected an array but got")
	notIterables = ofEachType("cannot iterate over")
	notNames     = ofEachType("expected a string for object key but got")
)

func ofEachType(what string) map[string]error {
	errs := map[string]error{}
	for _, name := range typeNames {
		errs[name] = mistyped{what, name}
	}
	return errs
}

func notObject(v any) error   { return notObjects[typeOf(v)] }
func notArray(v any) error    { return notArrays[typeOf(v)] }
func notIterable(v any) error { return notIterables[typeOf(v)] }
func notName(v any) error     { return notNames[typeOf(v)] }

func typeOf(v any) string {
	if _, ok := v.(body.Partial); ok {
		return "object"
	}
	return gojq.TypeOf(v)
}

const cannotApply = " cannot be applied to"

// explain says which operation failed, and on values of which types. It keeps the
// body out of messages: gojq quotes the values after a colon, in parentheses, or
// after "applied to". What a value holds can at worst have a wrong type named.
func explain(err error) error {
	var raised gojq.ValueError
	if errors.As(err, &raised) {
		return errors.New("jq fails: error") // its text may be the whole body
	}
	message := err.Error()
	what := message
	if i := strings.IndexAny(what, ":("); i >= 0 {
		what = what[:i]
	}
	what, _, _ = strings.Cut(what, cannotApply)
	return fmt.Errorf("jq fails: %s%s", strings.TrimSpace(what), onWhat(message))
}

// onWhat says what an operation was applied to.
func onWhat(message string) string {
	if strings.Contains(message, " by: ") && (strings.HasPrefix(message, "cannot divide ") || strings.HasPrefix(message, "cannot modulo ")) {
		return " by zero"
	}
	if i := strings.LastIndex(message, cannotApply); i >= 0 {
		applied := strings.TrimLeft(message[i+len(cannotApply):], ": ")
		if name := named(applied); name != "" {
			return cannotApply + " " + name
		}
		return cannotApply + " " + written(applied)
	}
	_, first, _ := strings.Cut(message, ": ")
	name := named(first)
	if name == "" {
		return ""
	}
	for rest, found := first, true; found; {
		if _, rest, found = strings.Cut(rest, " and "); named(rest) != "" {
			return " " + name + " and " + named(rest)
		}
	}
	return " " + name
}

var typeNames = []string{"null", "boolean", "number", "string", "array", "object"}

// named is the type that a text begins with, before the value in parentheses.
func named(text string) string {
	word, _, _ := strings.Cut(text, " ")
	if slices.Contains(typeNames, word) {
		return word
	}
	return ""
}

// written is the type of a value in JSON.
func written(text string) string {
	if text == "" {
		return "it"
	}
	switch text[0] {
	case '"':
		return "a string that holds something else"
	case '[':
		return "such an array"
	case '{':
		return "such an object"
	}
	return "such a value"
}
