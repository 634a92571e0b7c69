// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hookstream/hookstream/schemas/event"
)

// coerce checks that v, which is not null, is of the field's kind and returns
// it as event.Event holds it. Nothing is converted silently: an id that is a
// number needs tostring in the definition.
func coerce(kind event.Kind, v any) (any, error) {
	switch kind {
	case event.String:
		return typed[string]("a string", v)
	case event.Boolean:
		return typed[bool]("a boolean", v)
	case event.Long:
		return long(v)
	case event.Double:
		return double(v)
	case event.Timestamp:
		return timestamp(v)
	case event.StringArray:
		return stringArray(v)
	case event.StringMap:
		return stringMap(v)
	case event.JSON:
		return marshal(v), nil
	}
	return nil, fmt.Errorf("fields of kind %s are not supported", kind)
}

func typed[T any](want string, v any) (any, error) {
	if _, ok := v.(T); ok {
		return v, nil
	}
	return nil, typeError(want, v)
}

func typeError(want string, v any) error {
	return fmt.Errorf("gives %s, want %s", gojqType(v), want)
}

// gojqType names the type alone: the value may be private.
func gojqType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case int, *big.Int, float64, json.Number:
		return "a number"
	case string:
		if v == "" {
			return "an empty string"
		}
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}

func long(v any) (any, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case float64:
		if i := int64(n); float64(i) == n && n > -(1<<53) && n < 1<<53 {
			return i, nil
		}
		return nil, errors.New("gives a number that is not a whole one")
	case *big.Int:
		return nil, errors.New("gives an integer beyond 64 bits")
	}
	return nil, typeError("an integer", v)
}

func double(v any) (any, error) {
	switch n := v.(type) {
	case int:
		return float64(n), nil
	case float64:
		return n, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, nil
	}
	return nil, typeError("a number", v)
}

// timestamp keeps microseconds, as Avro's timestamp-micros and Postgres do.
func timestamp(v any) (any, error) {
	s, ok := v.(string)
	if !ok {
		return nil, typeError("an RFC 3339 time", v)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return nil, errors.New("gives a string that is not an RFC 3339 time")
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

func stringArray(v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, typeError("an array of strings", v)
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i], ok = item.(string); !ok {
			return nil, typeError("an array of strings", item)
		}
	}
	return out, nil
}

// stringMap drops nulls: a key that is absent and one that is null are the
// same in a map.
func stringMap(v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, typeError("an object of strings", v)
	}
	out := make(map[string]string, len(m))
	for k, item := range m {
		if item == nil {
			continue
		}
		if out[k], ok = item.(string); !ok {
			return nil, typeError("an object of strings", item)
		}
	}
	return out, nil
}
