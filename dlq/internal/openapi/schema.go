// SPDX-License-Identifier: Apache-2.0

package openapi

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/history"
	"github.com/hookstream/hookstream/dlq/internal/outcome"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/stats"
)

// property is a member of an object in JSON Schema.
type property struct{ Name, Schema string }

// object is a Go struct as a JSON Schema.
type object struct {
	Name       string
	Properties []property
	Required   []string
}

// objects describes structs as encoding/json writes them, and the structs in
// them. What may be absent is not required.
type objects struct {
	all  []*object
	seen map[reflect.Type]bool
}

func describe(values ...any) []*object {
	o := objects{seen: map[reflect.Type]bool{}}
	for _, v := range values {
		o.schema(reflect.TypeOf(v))
	}
	slices.SortFunc(o.all, func(a, b *object) int { return strings.Compare(a.Name, b.Name) })
	return o.all
}

// schema is the JSON Schema of a type in YAML's flow style.
func (o *objects) schema(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "{type: string, format: date-time}"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return o.schema(t.Elem())
	case reflect.String:
		return "{type: string}"
	case reflect.Bool:
		return "{type: boolean}"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "{type: integer}"
	case reflect.Float64:
		return "{type: number}"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "{type: string, contentEncoding: base64}"
		}
		return "{type: array, items: " + o.schema(t.Elem()) + "}"
	case reflect.Map:
		return "{type: object, additionalProperties: " + o.schema(t.Elem()) + "}"
	case reflect.Interface:
		return "{}"
	case reflect.Struct:
		o.add(t)
		return fmt.Sprintf(`{$ref: "#/components/schemas/%s"}`, name(t))
	default:
		panic("no schema for " + t.String())
	}
}

// names are those that say more than the type's own.
var names = map[reflect.Type]string{
	reflect.TypeFor[output.Letter]():   "DeadLetter",
	reflect.TypeFor[output.Full]():     "FullDeadLetter",
	reflect.TypeFor[output.Outcome]():  "Plan",
	reflect.TypeFor[output.Summary]():  "Stats",
	reflect.TypeFor[stats.Group]():     "Kind",
	reflect.TypeFor[history.Run]():     "HistoryRun",
	reflect.TypeFor[outcome.Outcome](): "ReplayOutcome",
	reflect.TypeFor[output.Failure]():  "SimulatedFailure",
	reflect.TypeFor[output.Event]():    "SimulatedEvent",
	reflect.TypeFor[output.NotTried](): "NotSimulated",
}

func name(t reflect.Type) string {
	if n, ok := names[t]; ok {
		return n
	}
	return t.Name()
}

func (o *objects) add(t reflect.Type) {
	if o.seen[t] {
		return
	}
	o.seen[t] = true
	d := &object{Name: name(t)}
	o.fields(t, d)
	o.all = append(o.all, d)
}

func (o *objects) fields(t reflect.Type, d *object) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
			o.fields(f.Type, d)
		case tag == "" || tag == "-":
		default:
			d.Properties = append(d.Properties, property{tag, o.schema(f.Type)})
			if options != "omitempty" {
				d.Required = append(d.Required, tag)
			}
		}
	}
}
