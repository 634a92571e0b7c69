// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hookstream/hookstream/schemas/event"
)

// validName keeps provider and tenant names safe in paths, keys and metric
// labels.
var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ValidName reports whether s can name a provider or a tenant: lower-case
// letters, digits and dashes, at most 63.
func ValidName(s string) bool { return validName.MatchString(s) }

func (d *Definition) validate() error {
	p := &problems{def: d}
	if !ValidName(d.Provider) {
		p.add(notAName(d.Provider), "provider")
	}
	if d.Revision < 1 {
		p.add("must be at least 1; raise it with every change of events", "revision")
	}
	oneOf(p, d.Unmapped, true, []Unmapped{UnmappedGeneric, UnmappedDrop, UnmappedDeadLetter}, "unmapped")
	for i, m := range d.Methods {
		oneOf(p, m, true, methods, "methods", i)
	}
	d.validateVerify(p)
	d.validateHandshakes(p)
	if d.Answer != nil {
		d.validateAnswer(under(p), d.Answer, "answer")
	}
	d.Body.validate(p)
	d.validatePreserve(p)
	d.validateIdentity(p)
	for i := range d.Events {
		d.validateRule(p, i)
	}
	d.validateIDs(p)
	return p.err()
}

// oneOf checks a value, where it is to be checked at all.
func oneOf[T ~string](at interface{ add(string, ...any) }, got T, check bool, allowed []T, path ...any) {
	if check && !slices.Contains(allowed, got) {
		at.add(fmt.Sprintf("%q is not one of %s", got, join(allowed)), path...)
	}
}

func notAName(s string) string {
	return fmt.Sprintf("%q is not a name of lower-case letters, digits and dashes", s)
}

func (d *Definition) validateIdentity(p *problems) {
	lists := []struct {
		name     string
		list     []Alternative
		required bool
	}{
		{"tenant", d.Identity.Tenant, false},
		{"id", d.Identity.ID, true},
		{"type", d.Identity.Type, true},
		{"key", d.Identity.Key, true},
		{"time", d.Identity.Time, false},
		{"sequence", d.Identity.Sequence, false},
	}
	for _, l := range lists {
		if l.required && len(l.list) == 0 {
			p.add("needs at least one alternative", "identity", l.name)
		}
		for i, a := range l.list {
			at := []any{"identity", l.name, i}
			d.validateAlternative(p, l.name, a, at)
		}
	}
}

func (d *Definition) validateAlternative(p *problems, list string, a Alternative, at []any) {
	validateGlobs(p, a.When, append(at, "when"))
	if list == "type" && len(a.When) > 0 {
		p.add("the event type cannot depend on itself", append(at, "when")...)
	}
	if len(a.From.Refs()) == 0 && !a.isStage(list) {
		p.add("refers to no part of the request", append(at, "from")...)
	}
	for _, ref := range a.From.Refs() {
		if ref.Kind != RefHeader && ref.Kind != RefBodyPath && ref.Kind != RefQuery {
			p.add(fmt.Sprintf("{%s} cannot be part of an identity; use header, query or body.PATH", ref), append(at, "from")...)
		}
		if slices.Contains(ref.Filters, Sign) || d.holdsSecret(ref) {
			p.add(fmt.Sprintf("{%s} is or needs a secret, which has no place on a record", ref), append(at, "from")...)
		}
		if list == "tenant" && !d.Covers(ref) {
			p.add(fmt.Sprintf("{%s} is not signed under every scheme: whoever has one valid request could choose the tenant", ref), append(at, "from")...)
		}
	}
	if list == "time" {
		oneOf(p, a.Unit, true, units, append(at, "unit")...)
	} else if a.Unit != "" {
		p.add("only a time has a unit", append(at, "unit")...)
	}
}

// isStage reports whether a sequence is a number that the file gives to event
// types: a message that is delivered was sent before, whatever arrives first.
func (a *Alternative) isStage(list string) bool {
	_, err := strconv.ParseInt(a.From.String(), 10, 64)
	return list == "sequence" && len(a.When) > 0 && err == nil
}

// Covers reports whether every scheme proves a part of the request.
func (d *Definition) Covers(ref Ref) bool {
	for i := range d.Verify {
		if !d.Verify[i].Covers(ref) {
			return false
		}
	}
	return true
}

func (d *Definition) validatePreserve(p *problems) {
	for i, name := range d.Preserve {
		if err := checkHeader(name); err != nil {
			p.add(err.Error(), "preserve", i)
		}
		if d.holdsSecret(Ref{Kind: RefHeader, Name: name}) {
			p.add(fmt.Sprintf("%s carries a secret in the clear, which has no place on a record", name), "preserve", i)
		}
	}
}

func validateGlobs(p *problems, globs Globs, at []any) {
	for i, g := range globs {
		if _, err := path.Match(g, ""); err != nil {
			p.add(fmt.Sprintf("pattern %q: %v", g, err), append(slices.Clone(at), i)...)
		}
	}
}

func (d *Definition) validateRule(p *problems, i int) {
	r := &d.Events[i]
	if len(r.Types) == 0 {
		p.add("names no event types", "events", i, "types")
	}
	validateGlobs(p, r.Types, []any{"events", i, "types"})
	d.validateRequires(p, i)
	entity, ok := event.Lookup(r.Entity)
	if !ok {
		oneOf(p, r.Entity, true, event.Names(), "events", i, "entity")
		return
	}
	for j, g := range r.Groups {
		if !slices.Contains(entity.Groups, g) {
			p.add(fmt.Sprintf("%s has no field group %q, only %s", entity.Name, g, strings.Join(entity.Groups, ", ")), "events", i, "groups", j)
		}
	}
	if r.Deleted != "" && !r.owns(entity.Groups[0]) {
		p.add(fmt.Sprintf("only a rule that owns the group %q can delete", entity.Groups[0]), "events", i, "deleted")
	}
	for name := range r.Fields {
		f, ok := entity.Field(name)
		switch {
		case !ok:
			p.add(fmt.Sprintf("%s has no field %q", entity.Name, name), "events", i, "fields", name)
		case !r.owns(f.Group):
			p.add(fmt.Sprintf("belongs to the field group %q, which groups does not name", f.Group), "events", i, "fields", name)
		}
	}
}

func (r *Rule) owns(group string) bool {
	return len(r.Groups) == 0 || slices.Contains(r.Groups, group)
}

// validateIDs checks that all rules of one entity form its id alike, so that
// an entity id leads back to exactly one business key.
func (d *Definition) validateIDs(p *problems) {
	first := map[string]int{}
	for i := range d.Events {
		r := &d.Events[i]
		j, seen := first[r.Entity]
		if !seen {
			first[r.Entity] = i
			continue
		}
		if (r.IDSuffix == "") != (d.Events[j].IDSuffix == "") {
			p.add(fmt.Sprintf("events[%d] maps to %s too; either both have an id_suffix or neither", j, r.Entity), "events", i, "id_suffix")
		}
	}
}
