// SPDX-License-Identifier: Apache-2.0

// Package setting has what the settings of all programs share: bounds and kinds
// that their struct tags declare, and secrets that never print.
package setting

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Tags of a setting, beside kong's.
const (
	// boundsTag has the least and the most of a number or a duration: 1..100,
	// or 1.. without a most.
	boundsTag = "bounds"
	// kindTag says what text must be: one of kinds, with "optional " before it
	// where it may be empty.
	kindTag = "is"
)

// Check holds every setting of the struct that cfg points to to the bounds and the
// kind that its tags declare, and those of the structs that it embeds, unless they
// have a Validate of their own. The error joins one for each that is wrong, which
// names the variable and repeats no secret.
func Check(cfg any) error {
	return check(reflect.ValueOf(cfg).Elem())
}

func check(v reflect.Value) error {
	var errs []error
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		_, embedded := field.Tag.Lookup("embed")
		switch {
		case value.Kind() == reflect.Struct && (embedded || field.Anonymous):
			if _, itself := value.Addr().Interface().(interface{ Validate() error }); !itself {
				errs = append(errs, check(value))
			}
		case field.Tag.Get(boundsTag) != "":
			errs = append(errs, within(nameOf(field), value, field.Tag.Get(boundsTag)))
		case field.Tag.Get(kindTag) != "":
			errs = append(errs, is(nameOf(field), value, field.Tag.Get(kindTag)))
		}
	}
	return errors.Join(errs...)
}

// nameOf is what the setting is called: its variable, or its flag where it has none.
func nameOf(f reflect.StructField) string {
	if env := f.Tag.Get("env"); env != "" {
		return env
	}
	if name := f.Tag.Get("name"); name != "" {
		return "--" + name
	}
	return "--" + strings.ToLower(f.Name)
}

// within compares a number with its bounds. They are those of the code, so one
// that cannot be read is a defect of it.
func within(name string, v reflect.Value, bounds string) error {
	least, most, ok := strings.Cut(bounds, "..")
	if !ok {
		panic(fmt.Sprintf("bounds of %s: %q has no ..", name, bounds))
	}
	if atLeast(v, least) && (most == "" || !above(v, most)) {
		return nil
	}
	if most == "" {
		return fmt.Errorf("%s is %v, must be at least %s", name, v.Interface(), least)
	}
	return fmt.Errorf("%s is %v, must be from %s to %s", name, v.Interface(), least, most)
}

// atLeast is false for what is not a number, too.
func atLeast(v reflect.Value, least string) bool {
	if v.CanFloat() {
		return v.Float() >= float(least)
	}
	return v.Int() >= integer(v, least)
}

func above(v reflect.Value, most string) bool {
	if v.CanFloat() {
		return v.Float() > float(most)
	}
	return v.Int() > integer(v, most)
}

func float(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return f
}

func integer(v reflect.Value, text string) int64 {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(text)
		if err != nil {
			panic(err)
		}
		return int64(d)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
