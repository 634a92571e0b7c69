// SPDX-License-Identifier: Apache-2.0

package table

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// existing is a relation as the database has it; of kind "" where there is
// none.
type existing struct {
	// kind is pg_class.relkind: r is a table, p a partitioned one.
	kind       string
	comment    string
	bytes      int64
	partitions int
	columns    map[string]existingColumn
	indexes    map[string]existingIndex
	// can read, insert and update.
	can bool
}

type existingColumn struct {
	// typ as format_type prints it; base without length and precision, and
	// under a domain.
	typ, base string
	notNull   bool
	// filled: the database has a value where an insert gives none.
	filled bool
	// computed: an insert must not give one.
	computed bool
	comment  string
}

type existingIndex struct {
	columns []string
	method  string
	valid   bool
	// arbiter: ON CONFLICT can name its columns.
	arbiter bool
}

const relationSQL = `select c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
		(select coalesce(sum(pg_relation_size(relid)), 0)::bigint from pg_partition_tree(c.oid)),
		(select count(*)::integer from pg_inherits where inhparent = c.oid),
		has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
	from pg_class c where c.oid = to_regclass($1)`

const columnsSQL = `select a.attname::text, format_type(a.atttypid, a.atttypmod),
		format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), null), a.attnotnull,
		a.atthasdef or a.attidentity <> '', a.attgenerated <> '' or a.attidentity = 'a',
		coalesce(col_description(a.attrelid, a.attnum), '')
	from pg_attribute a join pg_type t on t.oid = a.atttypid
	where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped`

const indexesSQL = `select c.relname::text, m.amname::text, i.indisvalid,
		i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null,
		array(select a.attname::text from unnest(i.indkey::smallint[]) with ordinality as k (attnum, n)
			join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
			where k.n <= i.indnkeyatts order by k.n)
	from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
	where i.indrelid = to_regclass($1)`

// inspect reads tables from the catalog, in one round trip.
func inspect(ctx context.Context, tx pgx.Tx, tables []*Table) ([]existing, error) {
	batch := &pgx.Batch{}
	found := make([]existing, len(tables))
	for i, t := range tables {
		found[i].queue(batch, t.Name())
	}
	if batch.Len() == 0 {
		return nil, nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("inspect %d tables: %w", len(tables), err)
	}
	return found, nil
}

func (h *existing) queue(batch *pgx.Batch, name string) {
	h.columns, h.indexes = map[string]existingColumn{}, map[string]existingIndex{}
	batch.Queue(relationSQL, name).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&h.kind, &h.comment, &h.bytes, &h.partitions, &h.can}, func() error { return nil })
		return err
	})
	batch.Queue(columnsSQL, name).Query(func(rows pgx.Rows) error {
		var name string
		var c existingColumn
		_, err := pgx.ForEachRow(rows, []any{&name, &c.typ, &c.base, &c.notNull, &c.filled, &c.computed, &c.comment}, func() error {
			h.columns[name] = c
			return nil
		})
		return err
	})
	batch.Queue(indexesSQL, name).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var name string
			var x existingIndex
			if err := rows.Scan(&name, &x.method, &x.valid, &x.arbiter, &x.columns); err != nil {
				return err
			}
			h.indexes[name] = x
		}
		return rows.Err()
	})
}
