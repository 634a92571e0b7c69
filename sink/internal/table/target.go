// SPDX-License-Identifier: Apache-2.0

package table

import (
	"errors"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/stage/failure"
)

// assignable are the types of a target's columns that take a value of ours
// without losing any of it: Postgres refuses what does not fit. A timestamp
// without time zone would depend on the session's, a floating point number
// would round money.
var assignable = map[string][]string{
	"text":             {"text", "character varying", "citext"},
	"bigint":           {"bigint", "integer", "numeric"},
	"integer":          {"integer", "bigint", "numeric"},
	"boolean":          {"boolean"},
	"double precision": {"double precision"},
	timestamptz:        {timestamptz},
	"text[]":           {"text[]", "character varying[]"},
	"jsonb":            {"jsonb"},
	"bytea":            {"bytea"},
}

// checkTarget compares a table that is not ours with what is to be written to
// it.
func (t *Table) checkTarget(have *existing) error {
	if have.kind != "r" && have.kind != "p" {
		return failure.NewFatal("the target of %s, %s, is not a table (pg_class.relkind %s)", t.Entity.Name, t.Name(), have.kind)
	}
	columns := t.columns
	if t.appliedAt != "" {
		columns = append(columns[:len(columns):len(columns)], column{name: t.appliedAt, typ: timestamptz})
	}
	var refused []error
	for i := range columns {
		refused = append(refused, t.checkMapped(&columns[i], have))
	}
	return errors.Join(append(refused, t.checkKey(have), t.checkForeign(have), t.checkRights(have))...)
}

func (t *Table) checkMapped(c *column, have *existing) error {
	old, ok := have.columns[c.name]
	name := quote(c.name)
	switch {
	case !ok:
		return t.refuse("no column %s, to which HOOKSTREAM_TABLES_FILE maps", []any{name}, "ALTER TABLE %s ADD COLUMN %s %s", t.Name(), name, c.typ)
	case old.computed:
		return failure.NewFatal("table %s has column %s, whose value Postgres always generates itself: map to another column in HOOKSTREAM_TABLES_FILE", t.Name(), name)
	case !slices.Contains(assignable[c.typ], old.base):
		return t.refuse("column %s of type %s, which does not take every %s as it is (%s would)",
			[]any{name, old.typ, c.typ, strings.Join(assignable[c.typ], ", ")},
			"ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::%s", t.Name(), name, c.typ, name, c.typ)
	}
	return nil
}
