// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Requires says by what a body is known to be of a rule's event types: in YAML one
// mapping of conditions, or a list of them of which one must hold. They are about
// the body only, since what a header says of it is often not signed: a captured
// body of another type, under the header of this one, must not become an entity,
// nor must an object that is null. Unlike elsewhere, * stands for objects and
// arrays too, and an empty one is none.
type Requires []Conditions

// UnmarshalYAML reads either form.
func (r *Requires) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Load((*[]Conditions)(r))
	}
	*r = make(Requires, 1)
	return n.Load(&(*r)[0])
}

// validateRequires checks that a body which is known to be of the rule's types also
// has a business key that was meant for them: the alternatives of identity.key
// below it, meant for other types, are never used then.
func (d *Definition) validateRequires(p *problems, i int) {
	r, at := &d.Events[i], under(p, "events", i)
	if len(r.Requires) == 0 {
		at.add(`says not by what a body is known to be of these types: name what each has and no other, such as requires: {body.order.id: "*"}`, "requires")
	}
	for j, conditions := range r.Requires {
		for _, c := range conditions {
			if c.Ref.Kind != RefBodyPath || len(c.Ref.Filters) > 0 || c.Ref.Optional {
				at.add(fmt.Sprintf("{%s} is not body.PATH: only what is in the body shows what it is", c.Ref), "requires", j)
			}
		}
		for _, types := range r.Types {
			if !d.keyed(conditions, types) {
				at.add(fmt.Sprintf(`does not make sure that bodies of %s have one of identity.key: name its body.PATH with "*"`, types), "requires", j)
			}
		}
	}
}

// keyed reports whether bodies that meet the conditions have a business key for the
// event types.
func (d *Definition) keyed(conditions Conditions, types string) bool {
	return slices.ContainsFunc(d.Identity.Key, func(a Alternative) bool {
		return a.When.cover(types) && conditions.provide(a.From)
	})
}

// cover reports whether every type that the pattern matches is matched.
func (g Globs) cover(pattern string) bool {
	return len(g) == 0 || slices.ContainsFunc(g, func(glob string) bool {
		ok, err := path.Match(glob, pattern)
		return glob == pattern || ok && err == nil
	})
}

// provide reports whether a template always expands where the conditions hold.
func (c Conditions) provide(t Template) bool {
	some := false
	for _, ref := range t.Refs() {
		there := slices.ContainsFunc(c, func(c Condition) bool { return c.Value != "" && c.Ref.Is(ref.Kind, ref.Name) })
		if !there && !ref.Optional {
			return false
		}
		some = some || there
	}
	return some
}
