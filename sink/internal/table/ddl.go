// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"slices"
	"strings"
)

// Statement is one statement of DDL, without a semicolon.
type Statement struct {
	SQL  string
	Need Need
}

// Need says how much the sink needs a statement.
type Need uint8

const (
	// Required statements are those without which events cannot be applied.
	Required Need = iota
	// Wanted statements make a comment, an index, a partition of the ledger.
	// Events are applied without them too.
	Wanted
	// Manual statements are wanted, but would hold up writers for too long to be run
	// unasked.
	Manual
)

func required(format string, args ...any) Statement {
	return Statement{fmt.Sprintf(format, args...), Required}
}

func wanted(format string, args ...any) Statement {
	return Statement{fmt.Sprintf(format, args...), Wanted}
}

// Create is the DDL of the table, in a form that changes nothing where it is run
// again. A target has none.
func (t *Table) Create() []Statement {
	if !t.Ours() {
		return nil
	}
	ddl := append(t.create(), wanted("COMMENT ON TABLE %s IS %s", t.Name(), literal(t.Entity.Doc)))
	for _, c := range t.allColumns() {
		ddl = append(ddl, t.addColumn(&c), t.comment(&c))
	}
	for _, x := range t.indexes() {
		ddl = append(ddl, t.createIndex(&x))
	}
	return ddl
}

// allColumns also has the one that the upsert leaves to the database.
func (t *Table) allColumns() []column {
	return append(t.columns[:len(t.columns):len(t.columns)],
		column{name: appliedAt, typ: timestamptz, constraint: "NOT NULL DEFAULT now()", doc: appliedAtDoc})
}

// create makes the table and its partitions.
func (t *Table) create() []Statement {
	var lines []string
	for _, c := range t.allColumns() {
		lines = append(lines, c.definition())
	}
	key := strings.Join(quoteAll(t.key), ", ")
	lines = append(lines, "PRIMARY KEY ("+key+")")
	sql := fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (\n    %s\n)", t.Name(), strings.Join(lines, ",\n    "))
	if t.layout.Partitions == 0 {
		return []Statement{required("%s", sql)}
	}
	ddl := []Statement{required("%s PARTITION BY HASH (%s)", sql, key)}
	for i := range t.layout.Partitions {
		ddl = append(ddl, required("CREATE TABLE IF NOT EXISTS %s PARTITION OF %s FOR VALUES WITH (MODULUS %d, REMAINDER %d)",
			t.partition(i), t.Name(), t.layout.Partitions, i))
	}
	return ddl
}

func (t *Table) partition(i int) string {
	suffix := fmt.Sprintf("_p%d", i)
	return quote(t.layout.Schema) + "." + quote(cut(t.layout.Table, maxIdentifier-len(suffix))+suffix)
}

func (t *Table) addColumn(c *column) Statement {
	return required("ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s", t.Name(), c.definition())
}

func (t *Table) comment(c *column) Statement {
	return wanted("COMMENT ON COLUMN %s.%s IS %s", t.Name(), quote(c.name), literal(c.doc))
}

// indexes are those beside the primary key.
func (t *Table) indexes() []Index {
	return append(t.layout.Indexes[:len(t.layout.Indexes):len(t.layout.Indexes)], t.tombstones())
}

func (t *Table) createIndex(x *Index) Statement {
	return wanted("CREATE INDEX IF NOT EXISTS %s", t.indexDefinition(x))
}

func (t *Table) indexDefinition(x *Index) string {
	sql := fmt.Sprintf("%s ON %s USING %s (%s)", quote(x.name(t.layout.Table)), t.Name(), x.method(), strings.Join(quoteAll(x.Columns), ", "))
	if x.Where != "" {
		sql += " WHERE " + x.Where
	}
	return sql
}

func (x *Index) method() string { return orDefault(x.Using, "btree") }

// name is what Postgres itself would choose, TABLE_COLUMN_COLUMN_idx.
func (x *Index) name(table string) string {
	if x.Name != "" {
		return x.Name
	}
	const suffix = "_idx"
	return cut(strings.Join(slices.Concat([]string{table}, x.Columns), "_"), maxIdentifier-len(suffix)) + suffix
}

// cut keeps at most n bytes of s, in whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

func (c *column) definition() string {
	return strings.TrimSpace(quote(c.name) + " " + c.typ + " " + c.constraint)
}

// literal quotes a string for DDL, which takes no parameters.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
