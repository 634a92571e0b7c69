// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"fmt"
	"path"
	"regexp"
	"slices"
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
		p.add(fmt.Sprintf("%q is not a name of lower-case letters, digits and dashes", d.Provider), "provider")
	}
	if d.Revision < 1 {
		p.add("must be at least 1; raise it with every change of events", "revision")
	}
	oneOf(p, string(d.Unmapped), []string{string(UnmappedGeneric), string(UnmappedDrop), string(UnmappedDeadLetter)}, "unmapped")
	d.validateVerify(p)
	d.validateIdentity(p)
	for i := range d.Events {
		d.validateRule(p, i)
	}
	d.validateIDs(p)
	return p.err()
}

func oneOf(p *problems, got string, allowed []string, path ...any) {
	if !slices.Contains(allowed, got) {
		p.add(fmt.Sprintf("%q is not one of %s", got, strings.Join(allowed, ", ")), path...)
	}
}

func (d *Definition) validateVerify(p *problems) {
	if len(d.Verify) == 0 {
		p.add("names no scheme", "verify")
	}
	for i := range d.Verify {
		validateScheme(p, &d.Verify[i])
	}
}

func validateScheme(p *problems, v *Verify) {
	oneOf(p, string(v.Scheme), []string{string(HMAC)}, "verify", "scheme")
	oneOf(p, v.Algorithm, []string{"sha1", "sha256", "sha512"}, "verify", "algorithm")
	oneOf(p, v.Encoding, []string{"hex", "base64"}, "verify", "encoding")
	oneOf(p, v.Secret.Encoding, []string{"raw", "base64", "hex"}, "verify", "secret", "encoding")
	if v.Signature.Header == "" {
		p.add("names no header", "verify", "signature")
	}
	refs := v.Signed.Refs()
	if !slices.Contains(refs, Ref{Kind: RefBody}) {
		p.add("must contain {body}: a body that is not signed proves nothing", "verify", "signed")
	}
	if slices.Contains(refs, Ref{Kind: RefTimestamp}) != (v.Timestamp != nil) {
		p.add("{timestamp} in signed and verify.timestamp go together: an unsigned time proves nothing", "verify", "signed")
	}
	if t := v.Timestamp; t != nil {
		oneOf(p, string(t.Unit), units, "verify", "timestamp", "unit")
		if t.Header == "" {
			p.add("names no header", "verify", "timestamp")
		}
		if t.Tolerance <= 0 {
			p.add("must be a positive duration, such as 5m", "verify", "timestamp", "tolerance")
		}
	}
}

func (d *Definition) validateIdentity(p *problems) {
	lists := []struct {
		name     string
		list     []Alternative
		required bool
	}{
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
	if len(a.From.Refs()) == 0 {
		p.add("refers to no part of the request", append(at, "from")...)
	}
	for _, ref := range a.From.Refs() {
		if ref.Kind != RefHeader && ref.Kind != RefBodyPath && ref.Kind != RefQuery {
			p.add(fmt.Sprintf("{%s} cannot be part of an identity; use header, query or body.PATH", ref.Kind), append(at, "from")...)
		}
	}
	if list == "time" {
		oneOf(p, string(a.Unit), units, append(at, "unit")...)
	} else if a.Unit != "" {
		p.add("only a time has a unit", append(at, "unit")...)
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
	entity, ok := event.Lookup(r.Entity)
	if !ok {
		oneOf(p, r.Entity, event.Names(), "events", i, "entity")
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
