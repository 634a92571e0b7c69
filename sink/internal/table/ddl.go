// SPDX-License-Identifier: Apache-2.0

package table

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/stage/failure"
)

// existing is a table as the database has it. A nil one is missing.
type existing struct {
	comment string
	columns map[string]existingColumn
}

type existingColumn struct{ typ, comment string }

// Ensure creates what is missing of the tables, their columns and comments. It never changes or drops: a column of another type is Fatal,
// and the error has the SQL for a person to run. The caller holds a lock
// against other instances.
func Ensure(ctx context.Context, tx pgx.Tx, tables []*Table) error {
	var ddl []string
	var refused []error
	for _, t := range tables {
		have, err := t.inspect(ctx, tx)
		if err != nil {
			return fmt.Errorf("inspect table %s: %w", t.Name(), err)
		}
		statements, err := t.changes(have)
		ddl = append(ddl, statements...)
		refused = append(refused, err)
	}
	if err := errors.Join(refused...); err != nil {
		return err
	}
	if len(ddl) == 0 {
		return nil
	}
	// Without parameters, several statements are one round trip.
	if _, err := tx.Exec(ctx, strings.Join(ddl, ";\n")); err != nil {
		return fmt.Errorf("create or extend entity tables: %w", err)
	}
	return nil
}

// inspect reads the table from the catalog; nil if there is none.
func (t *Table) inspect(ctx context.Context, tx pgx.Tx) (*existing, error) {
	rows, err := tx.Query(ctx, `select coalesce(obj_description(c.oid, 'pg_class'), ''), a.attname::text,
			format_type(a.atttypid, a.atttypmod), coalesce(col_description(c.oid, a.attnum), '')
		from pg_class c join pg_attribute a on a.attrelid = c.oid
		where c.oid = to_regclass($1) and a.attnum > 0 and not a.attisdropped`, t.Name())
	if err != nil {
		return nil, err
	}
	var have *existing
	var comment, name string
	var col existingColumn
	_, err = pgx.ForEachRow(rows, []any{&comment, &name, &col.typ, &col.comment}, func() error {
		if have == nil {
			have = &existing{comment: comment, columns: map[string]existingColumn{}}
		}
		have.columns[name] = col
		return nil
	})
	return have, err
}

// changes is the DDL from what is there to what the schema says.
func (t *Table) changes(have *existing) ([]string, error) {
	var ddl []string
	created := have == nil
	if created {
		have = &existing{columns: map[string]existingColumn{}}
		ddl = append(ddl, t.createSQL())
	}
	if t.Entity.Doc != have.comment {
		ddl = append(ddl, fmt.Sprintf("COMMENT ON TABLE %s IS %s", t.Name(), literal(t.Entity.Doc)))
	}
	var refused []error
	for _, c := range t.allColumns() {
		old, ok := have.columns[c.name]
		switch {
		case ok && old.typ != c.typ:
			refused = append(refused, t.refusal(&c, old.typ))
			continue
		case !ok && !created:
			ddl = append(ddl, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", t.Name(), c.definition()))
		}
		if c.doc != old.comment {
			ddl = append(ddl, fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", t.Name(), quote(c.name), literal(c.doc)))
		}
	}
	return ddl, errors.Join(refused...)
}

func (t *Table) refusal(c *column, have string) error {
	return failure.NewFatal("table %s has column %s of type %s, and the schema of %s says %s. Types are not changed without you; to do so, run\n"+
		"  ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::%s;",
		t.Name(), quote(c.name), have, t.Entity.Name, c.typ, t.Name(), quote(c.name), c.typ, quote(c.name), c.typ)
}

func (t *Table) allColumns() []column {
	return append(t.columns[:len(t.columns):len(t.columns)],
		column{name: appliedAt, typ: timestamptz, constraint: "NOT NULL DEFAULT now()", doc: appliedAtDoc})
}

func (t *Table) createSQL() string {
	var lines []string
	for _, c := range t.allColumns() {
		lines = append(lines, c.definition())
	}
	lines = append(lines, `PRIMARY KEY ("tenant", "provider", "id")`)
	return fmt.Sprintf("CREATE TABLE %s (\n    %s\n)", t.Name(), strings.Join(lines, ",\n    "))
}

func (c *column) definition() string {
	return strings.TrimSpace(quote(c.name) + " " + c.typ + " " + c.constraint)
}

// literal quotes a string for DDL, which takes no parameters.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
