// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"strings"

	"github.com/hookstream/hookstream/schemas/event"
)

// Upsert is the statement that writes events to the table and returns the keys
// of the rows that changed. A statement takes one event a key: see Args.
//
// A row, or one field group of it, changes only where the event's version is
// greater than the row's. Postgres checks that under the row's lock, so what
// other writers do does not matter.
func (t *Table) Upsert() string { return t.upsert }

// Args are the parameters of Upsert: one array a column. No two events may have
// the same key. Sort them by key: writers that lock rows in one order do not
// deadlock.
func (t *Table) Args(events []*event.Event) []any {
	args := make([]any, len(t.columns))
	for i := range t.columns {
		args[i] = t.columns[i].values(events)
	}
	return args
}

func (t *Table) upsertSQL() string {
	var names, params, casts, sets []string
	for i, c := range t.columns {
		names = append(names, quote(c.name))
		params = append(params, fmt.Sprintf("$%d::%s", i+1, c.param))
		expr := "s." + quote(c.name)
		if c.param != c.typ+"[]" {
			expr += "::" + c.typ
		}
		casts = append(casts, expr)
		if set := t.set(&c); set != "" {
			sets = append(sets, set)
		}
	}
	sets = append(sets, quote(appliedAt)+" = now()")
	var guards []string
	for _, g := range t.Entity.Groups {
		guards = append(guards, t.newer(g))
	}
	return fmt.Sprintf(`INSERT INTO %s AS t (%s)
SELECT %s
FROM unnest(%s) AS s (%s)
ON CONFLICT ("tenant", "provider", "id") DO UPDATE
SET %s
WHERE %s
RETURNING "tenant", "provider", "id"`,
		t.Name(), strings.Join(names, ", "),
		strings.Join(casts, ", "),
		strings.Join(params, ", "), strings.Join(names, ", "),
		strings.Join(sets, ",\n    "),
		strings.Join(guards, " OR "))
}

// set is a column's assignment. With one group the WHERE clause guards it;
// with several, a row changes for the sake of one group and must keep the
// others.
func (t *Table) set(c *column) string {
	name := quote(c.name)
	switch {
	case c.group == "":
		return "" // the key, and what one entity never changes
	case len(t.Entity.Groups) == 1:
		return fmt.Sprintf("%s = excluded.%s", name, name)
	}
	return fmt.Sprintf("%s = CASE WHEN %s THEN excluded.%s ELSE t.%s END", name, t.newer(c.group), name, name)
}

// newer compares the versions of a group, part by part.
func (t *Table) newer(group string) string {
	var old, excluded []string
	for _, name := range versionColumns(t.Entity, group) {
		old = append(old, "t."+quote(name))
		excluded = append(excluded, "excluded."+quote(name))
	}
	return fmt.Sprintf("(%s) < (%s)", strings.Join(old, ", "), strings.Join(excluded, ", "))
}
