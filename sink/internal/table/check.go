// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/yamlfile"
)

// maxIdentifier is what Postgres keeps of a name (NAMEDATALEN - 1).
const maxIdentifier = 63

// maxPartitions keeps a mistyped number from making a table that cannot be
// planned for.
const maxPartitions = 1024

// ownSchema is where the sink keeps its books.
const ownSchema = "hookstream"

// accessMethods are those of PostgreSQL that need no extension.
var accessMethods = []string{"btree", "hash", "gin", "gist", "spgist", "brin"}

// checker collects what is wrong with a tables file.
type checker struct {
	source   *yamlfile.File
	problems []error
}

func (c *checker) add(message string, path ...any) {
	c.problems = append(c.problems, c.source.Problem(message, path...))
}

func (c *checker) check(schema string, layouts map[string]Layout) {
	at := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(layouts)) {
		e, ok := event.Lookup(name)
		if !ok {
			c.add(fmt.Sprintf("is no entity; there are %s", strings.Join(event.Names(), ", ")), name)
			continue
		}
		l := layouts[name]
		c.layout(e, &l)
	}
	for _, e := range event.Entities() {
		l := layouts[e.Name]
		qualified := orDefault(l.Schema, schema) + "." + orDefault(l.Table, e.Name)
		if other, taken := at[qualified]; taken {
			c.add(fmt.Sprintf("is the table of %s too; every entity needs its own", other), e.Name, "table")
		}
		at[qualified] = e.Name
	}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (c *checker) layout(e *event.Entity, l *Layout) {
	if l.Schema == ownSchema {
		c.add("is where the sink keeps its books; choose another", e.Name, "schema")
	}
	c.identifier(l.Schema, e.Name, "schema")
	c.identifier(l.Table, e.Name, "table")
	if l.Target != nil {
		c.target(e, l)
		return
	}
	if len(l.Include) > 0 && len(l.Exclude) > 0 {
		c.add("include and exclude cannot both be set", e.Name, "exclude")
	}
	for i, f := range l.Include {
		c.field(e, f, e.Name, "include", i)
	}
	for i, f := range l.Exclude {
		c.field(e, f, e.Name, "exclude", i)
	}
	if l.Partitions < 0 || l.Partitions > maxPartitions {
		c.add(fmt.Sprintf("%d must be between 0 (a plain table) and %d", l.Partitions, maxPartitions), e.Name, "partitions")
	}
	c.indexes(e, l)
}

func (c *checker) field(e *event.Entity, name string, path ...any) {
	if _, ok := e.Field(name); !ok {
		c.add(fmt.Sprintf("%q is no field of %s", name, e.Name), path...)
	}
}

func (c *checker) identifier(name string, path ...any) {
	if len(name) > maxIdentifier || strings.ContainsRune(name, 0) {
		c.add(fmt.Sprintf("%.80q is longer than the %d bytes that Postgres keeps of a name", name, maxIdentifier), path...)
	}
}

func (c *checker) indexes(e *event.Entity, l *Layout) {
	columns := map[string]bool{appliedAt: true}
	for _, col := range l.columnsOf(&event.Entity{Name: e.Name, Groups: e.Groups, Fields: l.fields(e)}) {
		columns[col.name] = true
	}
	names := map[string]bool{}
	for i, x := range l.Indexes {
		path := []any{e.Name, "indexes", i}
		if len(x.Columns) == 0 {
			c.add("needs columns", path...)
		}
		for j, col := range x.Columns {
			if !columns[col] {
				c.add(fmt.Sprintf("%q is no column of the table", col), e.Name, "indexes", i, "columns", j)
			}
		}
		if x.Using != "" && !slices.Contains(accessMethods, x.Using) {
			c.add(fmt.Sprintf("%q is none of %s", x.Using, strings.Join(accessMethods, ", ")), e.Name, "indexes", i, "using")
		}
		name := x.name(orDefault(l.Table, e.Name))
		c.identifier(name, append(path, "name")...)
		if names[name] {
			c.add(fmt.Sprintf("two indexes are named %q", name), append(path, "name")...)
		}
		names[name] = true
	}
}

func (c *checker) target(e *event.Entity, l *Layout) {
	t := l.Target
	if l.Include != nil || l.Exclude != nil || l.Indexes != nil || l.Partitions != 0 {
		c.add("a target is not the sink's to shape: include, exclude, indexes and partitions have no effect on it", e.Name, "target")
	}
	c.key(e, t)
	used := map[string]string{}
	use := func(column, as string, path ...any) {
		c.identifier(column, path...)
		if column == "" {
			c.add("names no column", path...)
		} else if other, twice := used[column]; twice {
			c.add(fmt.Sprintf("column %s is that of %s already", column, other), path...)
		}
		used[column] = as
	}
	for _, source := range slices.Sorted(maps.Keys(t.Key)) {
		use(t.Key[source], "key."+source, e.Name, "target", "key", source)
	}
	if _, ok := t.Columns[sourceDeleted]; !ok {
		c.add("deleted needs a boolean column: a deletion is kept as a row, so that a late event cannot undo it", e.Name, "target", "columns")
	}
	known := sources(e)
	for _, source := range slices.Sorted(maps.Keys(t.Columns)) {
		if !known[source] {
			c.add(fmt.Sprintf("is no field of %s and nothing that the sink knows of its events", e.Name), e.Name, "target", "columns", source)
		}
		use(t.Columns[source], "columns."+source, e.Name, "target", "columns", source)
	}
	c.versions(e, t, use)
}

// sources are what a target's columns can be filled with, beside the key and
// the versions.
func sources(e *event.Entity) map[string]bool {
	known := map[string]bool{appliedAt: true}
	for _, col := range ownColumns(e.Groups[0]) {
		known[col.name] = true
	}
	for _, f := range e.Fields {
		known[f.Name] = true
	}
	return known
}

func (c *checker) key(e *event.Entity, t *Target) {
	have := slices.Sorted(maps.Keys(t.Key))
	if !slices.Equal(have, slices.Sorted(slices.Values(keyParts))) && !slices.Equal(have, []string{sourceKey}) {
		c.add("must name the columns of tenant, provider and id, or that of key, which is tenant/provider/id: "+
			"less would take two entities for one", e.Name, "target", "key")
	}
}

func (c *checker) versions(e *event.Entity, t *Target, use func(column, as string, path ...any)) {
	for _, g := range slices.Sorted(maps.Keys(t.Version)) {
		if !slices.Contains(e.Groups, g) {
			c.add(fmt.Sprintf("is no field group of %s; there are %s", e.Name, strings.Join(e.Groups, ", ")), e.Name, "target", "version", g)
		}
	}
	for _, g := range e.Groups {
		v, ok := t.Version[g]
		path := []any{e.Name, "target", "version", g}
		parts := strings.Join(v.parts(), "")
		switch {
		case !ok:
			c.add(fmt.Sprintf("field group %s needs columns for its version: without, an older event could overwrite a newer one", g), path...)
		case v.Column != "" && parts != "":
			c.add("has a column for the whole version and columns for its parts; keep one of them", path...)
		case v.Column != "":
			use(v.Column, "version."+g, append(path, "column")...)
		default:
			for i, name := range v.parts() {
				part := versionParts[i].name
				use(name, "version."+g+"."+part, append(path, part)...)
			}
		}
	}
}
