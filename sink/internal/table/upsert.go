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
func (t *Table) Upsert() string { return t.sql.upsert }

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

// unnested is Upsert's text.
func (t *Table) unnested() string {
	params := make([]string, len(t.columns))
	for i, c := range t.columns {
		params[i] = fmt.Sprintf("$%d::%s", i+1, c.param)
	}
	return t.upsertSQL(fmt.Sprintf("SELECT %s\nFROM unnest(%s) AS s (%s)",
		t.casts("s"), strings.Join(params, ", "), t.names())) + "\nRETURNING " + t.returning()
}

// upsertSQL upserts values, a SELECT or VALUES of the columns in their order.
func (t *Table) upsertSQL(values string) string {
	var sets, guards []string
	for i := range t.columns {
		if set := t.set(&t.columns[i]); set != "" {
			sets = append(sets, set)
		}
	}
	if t.appliedAt != "" {
		sets = append(sets, quote(t.appliedAt)+" = now()")
	}
	for _, g := range t.Entity.Groups {
		guards = append(guards, t.newer(g))
	}
	return fmt.Sprintf("INSERT INTO %s AS t (%s)\n%s\nON CONFLICT (%s) DO UPDATE\nSET %s\nWHERE %s",
		t.Name(), t.names(), values, strings.Join(quoteAll(t.key), ", "),
		strings.Join(sets, ",\n    "), strings.Join(guards, " OR "))
}

// names are the columns that the upsert writes.
func (t *Table) names() string { return strings.Join(quoteAll(t.columnNames()), ", ") }

func (t *Table) columnNames() []string {
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].name
	}
	return names
}

// casts are the columns of a row as it travels, each as the table has it.
func (t *Table) casts(row string) string {
	casts := make([]string, len(t.columns))
	for i, c := range t.columns {
		casts[i] = row + "." + quote(c.name)
		if c.param != c.typ+"[]" {
			casts[i] += "::" + c.typ
		}
	}
	return strings.Join(casts, ", ")
}

// returning are the parts of the key of a row that changed.
func (t *Table) returning() string {
	if len(t.key) == len(keyParts) {
		return strings.Join(quoteAll(t.key), ", ")
	}
	joined := "t." + quote(t.key[0])
	return fmt.Sprintf(`split_part(%[1]s, '/', 1), split_part(%[1]s, '/', 2), regexp_replace(%[1]s, '^[^/]*/[^/]*/', '')`, joined)
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
	for _, c := range t.versionColumns(group) {
		old = append(old, c.held())
		excluded = append(excluded, "excluded."+quote(c.name))
	}
	return fmt.Sprintf("(%s) < (%s)", strings.Join(old, ", "), strings.Join(excluded, ", "))
}
