// SPDX-License-Identifier: Apache-2.0

// Package table derives a Postgres table from an entity's schema and a layout:
// its columns, its DDL, and the upsert that only ever moves a row forward.
package table

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/event"
)

// Table is one entity's table.
type Table struct {
	// Entity has the fields that the table has columns for.
	Entity  *event.Entity
	layout  Layout
	columns []column
	// key are the columns of the unique key.
	key []string
	// appliedAt is the only column that the database fills in; a target may
	// have none.
	appliedAt string
	sql       statements
}

// statements are what is sent for a batch, made once.
type statements struct {
	upsert, held, copy, createStage, copyStage, upsertStaged, upsertEach string
}

// Key is the primary key of every entity table.
type Key struct {
	Tenant, Provider, ID string
}

// KeyOf is the key of the row that ev belongs to.
func KeyOf(ev *event.Event) Key {
	return Key{ev.Meta.Tenant, ev.Meta.Provider, ev.ID}
}

// All derives the tables of every entity with their default layout, in the given
// database schema.
func All(schema string) ([]*Table, error) { return Load(schema, "") }

// New derives the table of e. It fails where two columns would have one name,
// as where a field has the name of one of the sink's own.
func New(l Layout, e *event.Entity) (*Table, error) {
	if l.Table == "" {
		l.Table = e.Name
	}
	entity := *e
	entity.Fields = l.fields(e)
	t := &Table{Entity: &entity, layout: l, columns: l.columnsOf(&entity), appliedAt: appliedAt, key: keyParts}
	if l.Target != nil {
		t.appliedAt = l.Target.Columns[appliedAt]
		t.key = l.Target.keyColumns()
	}
	seen := map[string]bool{t.appliedAt: true}
	for _, c := range t.columns {
		if seen[c.name] {
			return nil, fmt.Errorf("entity %s: column %s would exist twice: rename one", e.Name, c.name)
		}
		seen[c.name] = true
	}
	t.sql = statements{
		upsert: t.unnested(), held: t.heldSQL(),
		copy: t.copySQL(), createStage: t.createStageSQL(), copyStage: t.copyStageSQL(), upsertStaged: t.upsertStagedSQL(), upsertEach: t.upsertEachSQL(),
	}
	return t, nil
}

// keyColumns are the key's in the order tenant, provider, id.
func (t *Target) keyColumns() []string {
	if joined, ok := t.Key[sourceKey]; ok {
		return []string{joined}
	}
	var columns []string
	for _, part := range keyParts {
		columns = append(columns, t.Key[part])
	}
	return columns
}

// Name is the table's quoted and qualified name.
func (t *Table) Name() string { return pgx.Identifier{t.layout.Schema, t.layout.Table}.Sanitize() }

// Schema is the database schema that the table is in.
func (t *Table) Schema() string { return t.layout.Schema }

// Ours reports whether the sink made the table, and may change it and delete
// from it.
func (t *Table) Ours() bool { return t.layout.Target == nil }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return quoted
}
