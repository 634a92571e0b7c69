// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"

	"go.yaml.in/yaml/v4"
)

// Conditions map in YAML references, written as in templates but without braces,
// to the value that they must have; "*" is any that is not empty, "" is none. All
// must hold; no conditions hold always.
type Conditions []Condition

// Condition is one of them.
type Condition struct {
	Ref Ref
	// Value as it must be, or * or empty.
	Value string
}

// Hold reports whether all conditions hold for a request.
func (c Conditions) Hold(lookup Lookup) bool {
	for i := range c {
		got, _ := Expander{Lookup: lookup}.resolve(c[i].Ref)
		if c[i].Value == "*" && got == "" || c[i].Value != "*" && got != c[i].Value {
			return false
		}
	}
	return true
}

// Refs lists what the conditions refer to.
func (c Conditions) Refs() []Ref {
	refs := make([]Ref, len(c))
	for i := range c {
		refs[i] = c[i].Ref
	}
	return refs
}

// UnmarshalYAML reads the mapping in its order.
func (c *Conditions) UnmarshalYAML(n *yaml.Node) error {
	var values map[string]string // refuses what is no mapping, and repeated names
	if err := n.Load(&values); err != nil {
		return err
	}
	*c = make(Conditions, 0, len(values))
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		ref, err := ParseRef(name)
		if err != nil {
			return fmt.Errorf("line %d: condition %q: %w", n.Content[i].Line, name, err)
		}
		*c = append(*c, Condition{Ref: ref, Value: values[name]})
	}
	return nil
}
