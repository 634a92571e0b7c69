// SPDX-License-Identifier: Apache-2.0

package database

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

func unmanaged(t *testing.T, pool *pgxpool.Pool) *Keeper {
	t.Helper()
	k, err := keeper(pool)
	if err != nil {
		t.Fatal(err)
	}
	k.Managed = false
	return k
}

func run(t *testing.T, pool *pgxpool.Pool, script string) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}

// diff is what is missing.
func diff(t *testing.T, k *Keeper) []table.Statement {
	t.Helper()
	ddl, err := k.Diff(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	return ddl
}

// shape describes everything in the two schemas.
const shape = `select string_agg(line, E'\n' order by line) from (
	select format('%s.%s %s %s %s %s', n.nspname, c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull) as line
	from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
	where n.nspname in ('hookstream', 'webhooks') and a.attnum > 0
	union all select format('%s %s %s', d.objoid::regclass, d.objsubid, d.description) from pg_description d
		join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('hookstream', 'webhooks')
	union all select indexdef from pg_indexes where schemaname in ('hookstream', 'webhooks')) as all_of_it`

func TestDDLByHandIsWhatTheSinkMakes(t *testing.T) {
	made, byHand, byDiff := open(t, newURL(t)), open(t, newURL(t)), open(t, newURL(t))
	if err := ensure(t.Context(), made, noon); err != nil {
		t.Fatal(err)
	}
	complete, err := unmanaged(t, byHand).Complete(noon)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		run(t, byHand, Script(complete))
	}
	run(t, byDiff, Script(diff(t, unmanaged(t, byDiff))))
	var want string
	if err := made.QueryRow(t.Context(), shape).Scan(&want); err != nil {
		t.Fatal(err)
	}
	for name, pool := range map[string]*pgxpool.Pool{"sink ddl": byHand, "sink ddl --diff": byDiff} {
		var got string
		if err := pool.QueryRow(t.Context(), shape).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s makes another database than the sink:\n%s\nwant\n%s", name, got, want)
		}
		if ddl := diff(t, unmanaged(t, pool)); len(ddl) > 0 {
			t.Errorf("%s leaves %q to do", name, ddl)
		}
		// From here the sink may manage it.
		if err := ensure(t.Context(), pool, noon); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnmanagedChangesNothing(t *testing.T) {
	pool := open(t, newURL(t))
	k := unmanaged(t, pool)
	err := k.Ensure(t.Context(), noon)
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "sink ddl --diff") {
		t.Fatalf("Ensure() = %v, want a Fatal error with the DDL", err)
	}
	if n := count(t, pool, "select count(*) from pg_namespace where nspname in ('hookstream', 'webhooks')"); n != 0 {
		t.Fatal("Ensure() created a schema")
	}
	// What the error says is enough to start; the rest is comments, indexes
	// and partitions.
	_, script, _ := strings.Cut(err.Error(), "prints:\n")
	run(t, pool, script)
	if err := k.Ensure(t.Context(), noon); err != nil {
		t.Errorf("after the DDL was run: %v", err)
	}
	for _, st := range diff(t, k) {
		if st.Need == table.Required {
			t.Errorf("still required: %s", st.SQL)
		}
	}
	if err := k.Partitions(t.Context(), noon); err != nil {
		t.Error(err)
	}
	if got := partitions(t, pool); len(got) > 0 {
		t.Errorf("Partitions() created %v", got)
	}
	run(t, pool, `alter table webhooks.customer drop column name`)
	if err := k.Ensure(t.Context(), noon); failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), `ALTER TABLE "webhooks"."customer" ADD COLUMN IF NOT EXISTS "name" text;`) {
		t.Errorf("Ensure() = %v, want a Fatal error with the column", err)
	}
}
