// SPDX-License-Identifier: Apache-2.0

// Package table derives a Postgres table from an entity's schema: its columns,
// its DDL, and the upsert that only ever moves a row forward.
package table

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/event"
)

// Table is one entity's table.
type Table struct {
	Entity  *event.Entity
	schema  string
	columns []column
	upsert  string
}

// Key is the primary key of every entity table.
type Key struct {
	Tenant, Provider, ID string
}

// KeyOf is the key of the row that ev belongs to.
func KeyOf(ev *event.Event) Key {
	return Key{ev.Meta.Tenant, ev.Meta.Provider, ev.ID}
}

// All derives the tables of every entity, in the given database schema.
func All(schema string) ([]*Table, error) {
	var all []*Table
	for _, e := range event.Entities() {
		t, err := New(schema, e)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// New derives the table of e. It fails where a field has the name of one of
// the sink's own columns.
func New(schema string, e *event.Entity) (*Table, error) {
	t := &Table{Entity: e, schema: schema, columns: columnsOf(e)}
	seen := map[string]bool{appliedAt: true}
	for _, c := range t.columns {
		if seen[c.name] {
			return nil, fmt.Errorf("entity %s: column %s would exist twice: rename the field", e.Name, c.name)
		}
		seen[c.name] = true
	}
	t.upsert = t.upsertSQL()
	return t, nil
}

// Name is the table's quoted and qualified name.
func (t *Table) Name() string { return pgx.Identifier{t.schema, t.Entity.Name}.Sanitize() }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
