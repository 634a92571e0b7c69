// SPDX-License-Identifier: Apache-2.0

package setting

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// What kong says of a value that it could not read, and of one that is none of a few.
var (
	unread = regexp.MustCompile(`(?s)^--([a-z0-9-]+)(?:=[^:]*)?: (.*)$`)
	noneOf = regexp.MustCompile(`(?s)^--([a-z0-9-]+) must be one of (.*?) but got (".*")$`)
	origin = regexp.MustCompile(`(?s) \(from envar .*\)$`)
)

// Explain says what is wrong with a setting as a person would: by its variable
// where that has the value, by its flag otherwise, without the words of Go's own
// errors, and never with a secret. Other errors of parsing stay as they are.
func Explain(app *kong.Application, err error) error {
	text := err.Error()
	if m := noneOf.FindStringSubmatch(text); m != nil {
		if f := find(app.Node, m[1]); f != nil {
			return fmt.Errorf("%s must be one of %s", called(f), choices(f))
		}
	}
	m := unread.FindStringSubmatch(text)
	if m == nil {
		return withoutPath(err)
	}
	f := find(app.Node, m[1])
	if f == nil {
		return withoutPath(err)
	}
	if must := form(f.Target.Type()); must != "" {
		return fmt.Errorf("%s must be %s%s", called(f), must, given(f))
	}
	return fmt.Errorf("%s: %s", called(f), origin.ReplaceAllString(m[2], ""))
}

// withoutPath cuts off the name of the command, which kong puts before what a
// command's Validate says.
func withoutPath(err error) error {
	var parse *kong.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	inner := errors.Unwrap(parse)
	if inner == nil {
		return err
	}
	if cause := errors.Unwrap(inner); cause != nil && strings.HasSuffix(inner.Error(), ": "+cause.Error()) {
		return cause
	}
	return inner
}

func find(n *kong.Node, flag string) *kong.Flag {
	for _, f := range n.Flags {
		if f.Name == flag {
			return f
		}
	}
	for _, child := range n.Children {
		if f := find(child, flag); f != nil {
			return f
		}
	}
	return nil
}

// called is the variable where it is set, with the flag.
func called(f *kong.Flag) string {
	if len(f.Envs) > 0 {
		return f.Envs[0] + " (--" + f.Name + ")"
	}
	return "--" + f.Name
}

// given is what the variable holds, unless that is or may hold a secret.
func given(f *kong.Flag) string {
	k := f.Target.Kind()
	if len(f.Envs) == 0 || k == reflect.Map || k == reflect.String || k == reflect.Slice {
		return ""
	}
	if value, set := os.LookupEnv(f.Envs[0]); set {
		return fmt.Sprintf(", not %.60q", value)
	}
	return ""
}

func choices(f *kong.Flag) string {
	var all []string
	for _, c := range f.EnumSlice() {
		if c != "" {
			all = append(all, c)
		}
	}
	return strings.Join(all, ", ")
}

// form is how a value of a type is written; "" where the type itself says it.
func form(t reflect.Type) string {
	if t == reflect.TypeFor[time.Duration]() {
		return "a duration such as 90s, 15m or 72h"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("a whole number of at most %d", int64(1)<<(t.Bits()-1)-1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Map:
		if t.Elem().Kind() == reflect.Float64 {
			return "pairs NAME=NUMBER, separated by semicolons"
		}
		return "pairs NAME=VALUE, separated by semicolons"
	}
	return ""
}
