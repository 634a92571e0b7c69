// SPDX-License-Identifier: Apache-2.0

package table

import (
	"strings"
	"testing"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/stage/failure"
)

// advice is the SQL that an error tells a person to run.
func advice(t *testing.T, err error) string {
	t.Helper()
	_, sql, ok := strings.Cut(err.Error(), "run\n")
	if !ok {
		t.Fatalf("%v\nhas no SQL", err)
	}
	return sql
}

func TestWhatCannotBeMendedIsRefusedWithTheSQL(t *testing.T) {
	e := thing(event.Field{Name: "f_a", Kind: event.String, Doc: "A."})
	for name, c := range map[string]struct{ spoil, want string }{
		"type":             {`alter table "my tables"."order" alter f_a type varchar(20)`, `column "f_a" of type character varying(20)`},
		"not null":         {`alter table "my tables"."order" alter f_a set not null`, `column "f_a" with NOT NULL`},
		"nullable version": {`alter table "my tables"."order" alter version_order drop not null`, `column "version_order" without NOT NULL`},
		"no key":           {`alter table "my tables"."order" drop constraint order_pkey`, `no unique key of exactly tenant, provider, id`},
		"foreign column":   {`alter table "my tables"."order" add f_own integer not null`, `column "f_own" with NOT NULL and no default`},
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t)
			if err := ensure(t, conn, e); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), c.spoil); err != nil {
				t.Fatal(err)
			}
			err := ensure(t, conn, e)
			if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("Diff() = %v, want a Fatal error that says %s", err, c.want)
			}
			if _, err := conn.Exec(t.Context(), advice(t, err)); err != nil {
				t.Error(err)
			}
			if err := ensure(t, conn, e); err != nil {
				t.Errorf("after what it says was run: %v", err)
			}
		})
	}
}

func TestLayoutShapesTheTable(t *testing.T) {
	conn := connect(t)
	e := thing(event.Field{Name: "f_a", Kind: event.String}, event.Field{Name: "f_b", Kind: event.StringMap}, event.Field{Name: "f_c", Kind: event.Long})
	l := Layout{Schema: "my tables", Exclude: []string{"f_c"}, Partitions: 3, Indexes: []Index{
		{Columns: []string{"f_a", "received_at"}, Where: "NOT deleted"},
		{Name: "by b", Columns: []string{"f_b"}, Using: "gin"},
	}}
	table, err := New(l, e)
	if err != nil {
		t.Fatal(err)
	}
	// Twice each: as the difference, and as the whole.
	for range 2 {
		if err := run(t, conn, table); err != nil {
			t.Fatal(err)
		}
		for _, st := range table.Create() {
			if _, err := conn.Exec(t.Context(), st.SQL); err != nil {
				t.Fatalf("%s: %v", st.SQL, err)
			}
		}
	}
	wantNoDiff(t, conn, table)
	if got := strings.Join(columns(t, conn), ", "); got != "f_a text, f_b jsonb" {
		t.Errorf("columns %s", got)
	}
	var indexes string
	if err := conn.QueryRow(t.Context(), `select string_agg(regexp_replace(indexdef, '.* USING', ''), ';' order by indexname) from pg_indexes where tablename = 'order'`).Scan(&indexes); err != nil {
		t.Fatal(err)
	}
	if want := ` gin (f_b); btree (f_a, received_at) WHERE (NOT deleted); btree (tenant, provider, id); btree (tenant, provider, id) WHERE deleted`; indexes != want {
		t.Errorf("indexes%s, want%s", indexes, want)
	}
	// What the table is split into, or an index is of, is not changed.
	l.Partitions = 4
	l.Indexes[1].Columns = []string{"f_a"}
	err = ensureLayout(t, conn, l, e)
	for _, want := range []string{"3 partitions, and the layout says 4", `DROP INDEX CONCURRENTLY "my tables"."by b"`} {
		if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), want) {
			t.Errorf("Diff() = %v, want a Fatal error that says %s", err, want)
		}
	}
}

func TestIndexOfALargeTableIsLeftToAPerson(t *testing.T) {
	table, err := New(Layout{Schema: "s", Indexes: []Index{{Columns: []string{"f_a"}}}}, thing(event.Field{Name: "f_a", Kind: event.Long}))
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"r": `CREATE INDEX CONCURRENTLY IF NOT EXISTS "order_f_a_idx" ON "s"."order" USING btree ("f_a")`,
		"p": `CREATE INDEX IF NOT EXISTS "order_f_a_idx" ON "s"."order" USING btree ("f_a")`,
	} {
		ddl, err := table.diffIndexes(&existing{kind: kind, bytes: smallTable + 1})
		if err != nil || len(ddl) != 2 || ddl[0] != (Statement{want, Manual}) {
			t.Errorf("%v, %v", ddl, err)
		}
	}
}

func TestLongNamesStayDistinct(t *testing.T) {
	long := strings.Repeat("ä", 40)
	x := Index{Columns: []string{long}}
	if got := x.name("t"); len(got) > maxIdentifier || !strings.HasSuffix(got, "ä_idx") {
		t.Errorf("index name %q", got)
	}
	table, err := New(Layout{Schema: "s", Table: long[:62], Partitions: 2}, thing())
	if err != nil {
		t.Fatal(err)
	}
	if a, b := table.partition(0), table.partition(1); a == b || len(a) > len(`"s"."`)+maxIdentifier+1 {
		t.Errorf("partitions %s and %s", a, b)
	}
}
