// SPDX-License-Identifier: Apache-2.0

package table

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/stage/failure"
)

// Diff is the DDL from what the database has to what the tables should be. It
// creates and adds, and never changes or drops: where only that would help, the
// error is Fatal and has the SQL for a person to run.
func Diff(ctx context.Context, tx pgx.Tx, tables []*Table) ([]Statement, error) {
	have, err := inspect(ctx, tx, tables)
	if err != nil {
		return nil, err
	}
	var ddl []Statement
	var refused []error
	for i, t := range tables {
		statements, err := t.diff(&have[i])
		ddl = append(ddl, statements...)
		refused = append(refused, err)
	}
	return ddl, errors.Join(refused...)
}

func (t *Table) diff(have *existing) ([]Statement, error) {
	switch {
	case have.kind == "" && t.Ours():
		return t.Create(), nil
	case have.kind == "":
		return nil, failure.NewFatal("the target of %s, table %s, does not exist: create it, or correct HOOKSTREAM_TABLES_FILE", t.Entity.Name, t.Name())
	case !t.Ours():
		return nil, t.checkTarget(have)
	}
	ddl, refused := t.diffColumns(have)
	indexes, err := t.diffIndexes(have)
	refused = append(refused, err, t.checkShape(have), t.checkKey(have), t.checkForeign(have), t.checkRights(have))
	return append(ddl, indexes...), errors.Join(refused...)
}

func (t *Table) diffColumns(have *existing) (ddl []Statement, refused []error) {
	if t.Entity.Doc != have.comment {
		ddl = append(ddl, wanted("COMMENT ON TABLE %s IS %s", t.Name(), literal(t.Entity.Doc)))
	}
	for _, c := range t.allColumns() {
		old, ok := have.columns[c.name]
		if !ok {
			ddl = append(ddl, t.addColumn(&c), t.comment(&c))
			continue
		}
		if err := t.checkColumn(&c, &old); err != nil {
			refused = append(refused, err)
		} else if c.doc != old.comment {
			ddl = append(ddl, t.comment(&c))
		}
	}
	return ddl, refused
}

// checkColumn compares a column of a table of ours with what it should be.
func (t *Table) checkColumn(c *column, old *existingColumn) error {
	must := strings.HasPrefix(c.constraint, "NOT NULL")
	name := quote(c.name)
	switch {
	case old.typ != c.typ:
		return t.refuse("column %s of type %s, and the schema of %s says %s. Types are not changed without you",
			[]any{name, old.typ, t.Entity.Name, c.typ}, "ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %s::%s", t.Name(), name, c.typ, name, c.typ)
	case old.notNull && !must:
		return t.refuse("column %s with NOT NULL, and events may have no value for it", []any{name},
			"ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", t.Name(), name)
	case !old.notNull && must:
		sql := fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", t.Name(), name)
		if _, value, ok := strings.Cut(c.constraint, "DEFAULT "); ok {
			sql = fmt.Sprintf("UPDATE %[1]s SET %[2]s = %[3]s WHERE %[2]s IS NULL;\n  ALTER TABLE %[1]s ALTER COLUMN %[2]s SET DEFAULT %[3]s, ALTER COLUMN %[2]s SET NOT NULL",
				t.Name(), name, value)
		}
		return t.refuse("column %s without NOT NULL, and a null in it would defeat the guard against older events", []any{name}, "%s", sql)
	}
	return nil
}

// refuse says what is in the way and the SQL that a person would run.
func (t *Table) refuse(what string, args []any, sql string, sqlArgs ...any) error {
	return failure.NewFatal("table %s has %s; to go on, run\n  %s;", t.Name(), fmt.Sprintf(what, args...), fmt.Sprintf(sql, sqlArgs...))
}

// checkShape compares how the table is split.
func (t *Table) checkShape(have *existing) error {
	want := "r"
	if t.layout.Partitions > 0 {
		want = "p"
	}
	switch {
	case have.kind != "r" && have.kind != "p":
		return failure.NewFatal("%s is not a table (pg_class.relkind %s): drop it, or name another table in HOOKSTREAM_TABLES_FILE", t.Name(), have.kind)
	case have.kind != want || have.partitions != t.layout.Partitions:
		old := quote(t.layout.Schema) + "." + quote(cut(t.layout.Table, maxIdentifier-len("_old"))+"_old")
		return t.refuse("%d partitions, and the layout says %d. Stop the sink first",
			[]any{have.partitions, t.layout.Partitions},
			"ALTER TABLE %s RENAME TO %s;\n  -- the table as sink ddl prints it, then\n  INSERT INTO %s (%s) SELECT %s FROM %s;\n  DROP TABLE %s",
			t.Name(), quote(cut(t.layout.Table, maxIdentifier-len("_old"))+"_old"), t.Name(), t.columnList(), t.columnList(), old, old)
	}
	return nil
}

func (t *Table) columnList() string {
	var names []string
	for _, c := range t.allColumns() {
		names = append(names, quote(c.name))
	}
	return strings.Join(names, ", ")
}

// checkKey asks for a unique index that ON CONFLICT can use.
func (t *Table) checkKey(have *existing) error {
	want := slices.Sorted(slices.Values(t.key))
	for _, x := range have.indexes {
		if x.arbiter && slices.Equal(slices.Sorted(slices.Values(x.columns)), want) {
			return nil
		}
	}
	return t.refuse("no unique key of exactly %s, that is valid and neither partial nor deferrable", []any{strings.Join(t.key, ", ")},
		"ALTER TABLE %s ADD UNIQUE (%s)", t.Name(), strings.Join(quoteAll(t.key), ", "))
}

// checkForeign looks for columns that are not written and cannot stay empty.
func (t *Table) checkForeign(have *existing) error {
	ours := map[string]bool{}
	for _, c := range t.columns {
		ours[c.name] = true
	}
	ours[t.appliedAt] = true
	var refused []error
	for _, name := range slices.Sorted(maps.Keys(have.columns)) {
		if c := have.columns[name]; !ours[name] && c.notNull && !c.filled && !c.computed {
			refused = append(refused, t.refuse("column %s with NOT NULL and no default, which the sink does not write: every insert would fail", []any{quote(name)},
				"ALTER TABLE %s ALTER COLUMN %s DROP NOT NULL", t.Name(), quote(name)))
		}
	}
	return errors.Join(refused...)
}

func (t *Table) checkRights(have *existing) error {
	if have.can {
		return nil
	}
	return failure.NewFatal("the sink's user may not read, insert into and update table %s; to go on, run as its owner\n  GRANT SELECT, INSERT, UPDATE ON %s TO the_user;", t.Name(), t.Name())
}

// smallTable is up to where an index is built at once: that takes less than a
// second, in which writers wait.
const smallTable = 64 << 20

func (t *Table) diffIndexes(have *existing) ([]Statement, error) {
	var ddl []Statement
	var refused []error
	for _, x := range t.indexes() {
		name := x.name(t.layout.Table)
		qualified := quote(t.layout.Schema) + "." + quote(name)
		old, ok := have.indexes[name]
		switch {
		case !ok && have.bytes <= smallTable:
			ddl = append(ddl, t.createIndex(&x))
		case !ok && have.kind == "p":
			ddl = append(ddl, Statement{"CREATE INDEX IF NOT EXISTS " + t.indexDefinition(&x), Manual})
		case !ok:
			ddl = append(ddl, Statement{"CREATE INDEX CONCURRENTLY IF NOT EXISTS " + t.indexDefinition(&x), Manual})
		case !old.valid:
			ddl = append(ddl, Statement{"REINDEX INDEX CONCURRENTLY " + qualified, Manual})
		case !slices.Equal(old.columns, x.Columns) || old.method != x.method():
			refused = append(refused, t.refuse("an index %s of other columns (%s, %s) than the layout says", []any{quote(name), old.method, strings.Join(old.columns, ", ")},
				"DROP INDEX CONCURRENTLY %s", qualified))
		}
	}
	return ddl, errors.Join(refused...)
}
