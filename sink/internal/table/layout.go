// SPDX-License-Identifier: Apache-2.0

package table

import (
	"encoding/hex"
	"maps"
	"slices"

	"github.com/hookstream/hookstream/schemas/event"
)

// Layout says where the events of one entity go. The zero value is a table of
// the entity's name with every field.
type Layout struct {
	// Schema of the database; "" is that of HOOKSTREAM_TABLES_SCHEMA.
	Schema string `yaml:"schema"`
	// Table is its name; "" is the entity's.
	Table string `yaml:"table"`
	// Include names the fields that have a column, Exclude those that have
	// none. At most one of them is set; without either, all fields have one.
	Include []string `yaml:"include"`
	Exclude []string `yaml:"exclude"`
	// Indexes are those beside the primary key.
	Indexes []Index `yaml:"indexes"`
	// Partitions is into how many parts the table is split by a hash of its
	// key; 0 is a plain table.
	Partitions int `yaml:"partitions"`
	// Target maps the entity to a table that is not the sink's to change.
	Target *Target `yaml:"target"`
}

// Index is an index of one or more columns.
type Index struct {
	// Name; "" is made of the table's and the columns' names.
	Name    string   `yaml:"name"`
	Columns []string `yaml:"columns"`
	// Using is the access method; "" is btree.
	Using string `yaml:"using"`
	// Where is the predicate of a partial index, in SQL.
	Where string `yaml:"where"`
}

// Target is a table that somebody else made. The sink writes the columns that
// are named here and knows nothing of the others.
type Target struct {
	// Key names the columns of a unique key: those of tenant, provider and
	// id, or the one of key, which is tenant/provider/id.
	Key map[string]string `yaml:"key"`
	// Version names, for each field group, where its version is kept. Without
	// the whole version, a row's final value would depend on the order of
	// arrival.
	Version map[string]Version `yaml:"version"`
	// Columns maps fields, and what the sink knows of the event, to columns.
	Columns map[string]string `yaml:"columns"`
}

// Version is four columns for the parts of a version, or one of type bytea for
// all of it: the parts as big-endian integers of 8, 4, 8 and 4 bytes, which
// compare as the version does.
type Version struct {
	Column     string `yaml:"column"`
	Order      string `yaml:"order"`
	Generation string `yaml:"generation"`
	Offset     string `yaml:"offset"`
	Revision   string `yaml:"revision"`
}

// parts are the names of the four columns, the most significant first.
func (v *Version) parts() []string { return []string{v.Order, v.Generation, v.Offset, v.Revision} }

// The sources of the columns that make an entity's key.
const (
	sourceTenant   = "tenant"
	sourceProvider = "provider"
	sourceID       = "id"
	sourceKey      = "key"
	sourceDeleted  = "deleted"
)

var keyParts = []string{sourceTenant, sourceProvider, sourceID}

// fields are those of e that have a column.
func (l *Layout) fields(e *event.Entity) []event.Field {
	has := func(f event.Field) bool {
		switch {
		case l.Target != nil:
			_, mapped := l.Target.Columns[f.Name]
			return mapped
		case len(l.Include) > 0:
			return slices.Contains(l.Include, f.Name)
		}
		return !slices.Contains(l.Exclude, f.Name)
	}
	return slices.DeleteFunc(slices.Clone(e.Fields), func(f event.Field) bool { return !has(f) })
}

// columnsOf are the columns that the upsert writes.
func (l *Layout) columnsOf(e *event.Entity) []column {
	columns := ownColumns(e.Groups[0])
	for i := range e.Fields {
		columns = append(columns, fieldColumn(&e.Fields[i]))
	}
	if l.Target != nil {
		columns = l.Target.rename(columns)
	}
	for _, g := range e.Groups {
		columns = append(columns, l.versionColumns(e, g)...)
	}
	return columns
}

// rename keeps the columns that the target has, under its names and without our
// constraints.
func (t *Target) rename(columns []column) []column {
	names := maps.Clone(t.Columns)
	maps.Copy(names, t.Key)
	var out []column
	for _, c := range append(columns, joinedKey()) {
		name, mapped := names[c.name]
		if !mapped {
			continue
		}
		c.name, c.constraint, c.doc = name, "", ""
		out = append(out, c)
	}
	return out
}

// versionColumns are those of one field group.
func (l *Layout) versionColumns(e *event.Entity, group string) []column {
	if l.Target == nil {
		return ownVersion(e, group)
	}
	v := l.Target.Version[group]
	if v.Column != "" {
		return []column{packedVersion(v.Column, group)}
	}
	var columns []column
	for i, name := range v.parts() {
		c := versionParts[i].column(name, group)
		c.never = "0"
		columns = append(columns, c)
	}
	return columns
}

// neverWritten is the version of a group that no event has written, packed.
var neverWritten = `'\x` + hex.EncodeToString(make([]byte, packedBytes)) + `'::bytea`
