// SPDX-License-Identifier: Apache-2.0

package table

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/failure"
)

func TestMain(m *testing.M) { pgtest.Main(m.Run) }

// thing is an entity with a reserved word for a name and a quote in its doc.
func thing(fields ...event.Field) *event.Entity {
	for i := range fields {
		if fields[i].Group == "" {
			fields[i].Group = "order"
		}
	}
	return &event.Entity{Name: "order", Doc: "It's a test.", Groups: []string{"order"}, Fields: fields}
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), `create schema "my tables"`); err != nil {
		t.Fatal(err)
	}
	return conn
}

// run brings the database to what Diff says.
func run(t *testing.T, conn *pgx.Conn, table *Table) error {
	t.Helper()
	return pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		ddl, err := Diff(t.Context(), tx, []*Table{table})
		if err != nil {
			return err
		}
		for _, st := range ddl {
			if _, err := tx.Exec(t.Context(), st.SQL); err != nil {
				return fmt.Errorf("%s: %w", st.SQL, err)
			}
		}
		return nil
	})
}

func ensure(t *testing.T, conn *pgx.Conn, e *event.Entity) error {
	t.Helper()
	return ensureLayout(t, conn, Layout{}, e)
}

func ensureLayout(t *testing.T, conn *pgx.Conn, l Layout, e *event.Entity) error {
	t.Helper()
	l.Schema = "my tables"
	table, err := New(l, e)
	if err != nil {
		return err
	}
	return run(t, conn, table)
}

// columns are "name type comment" by name, without the sink's own.
func columns(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select attname || ' ' || format_type(atttypid, atttypmod) || coalesce(' ' || col_description(attrelid, attnum), '')
		from pg_attribute where attrelid = '"my tables"."order"'::regclass and attnum > 0 and attname like 'f\_%' order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTableIsCreatedAndEvolves(t *testing.T) {
	conn := connect(t)
	a := event.Field{Name: "f_a", Kind: event.String, Doc: "Bob's field."}
	if err := ensure(t, conn, thing(a)); err != nil {
		t.Fatal(err)
	}
	if got, want := columns(t, conn), []string{"f_a text Bob's field."}; !slices.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
	if _, err := conn.Exec(t.Context(), `insert into "my tables"."order" (tenant, provider, id, business_key) values ('t', 'p', 'i', 'k')`); err != nil {
		t.Fatal(err)
	}
	// A person adds a column; a later schema has new fields and a new group.
	if _, err := conn.Exec(t.Context(), `alter table "my tables"."order" add f_own integer`); err != nil {
		t.Fatal(err)
	}
	a.Doc = "Other words."
	e := thing(a, event.Field{Name: "f_b", Kind: event.StringArray}, event.Field{Name: "f_c", Kind: event.Timestamp, Group: "second"})
	e.Groups = append(e.Groups, "second")
	for range 2 {
		if err := ensure(t, conn, e); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"f_a text Other words.", "f_b text[]", "f_c timestamp with time zone", "f_own integer"}
	if got := columns(t, conn); !slices.Equal(got, want) {
		t.Errorf("columns %q, want %q", got, want)
	}
	var never bool
	if err := conn.QueryRow(t.Context(), `select second_version_order = 0 and second_version_offset = 0 and f_b is null from "my tables"."order"`).Scan(&never); err != nil || !never {
		t.Errorf("the old row's new group is not at version 0: %v", err)
	}
}

func TestNothingToDoIsNoDDL(t *testing.T) {
	conn := connect(t)
	if err := ensure(t, conn, event.Entities()[0]); err != nil {
		t.Fatal(err)
	}
	table, err := New(Layout{Schema: "my tables"}, event.Entities()[0])
	if err != nil {
		t.Fatal(err)
	}
	wantNoDiff(t, conn, table)
}

func wantNoDiff(t *testing.T, conn *pgx.Conn, table *Table) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		ddl, err := Diff(t.Context(), tx, []*Table{table})
		if len(ddl) > 0 {
			t.Errorf("a table as it should be is changed: %q", ddl)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnotherTypeIsRefusedWithTheSQL(t *testing.T) {
	conn := connect(t)
	if err := ensure(t, conn, thing(event.Field{Name: "f_a", Kind: event.String}, event.Field{Name: "f_b", Kind: event.Long})); err != nil {
		t.Fatal(err)
	}
	err := ensure(t, conn, thing(event.Field{Name: "f_a", Kind: event.Long}, event.Field{Name: "f_b", Kind: event.Boolean}, event.Field{Name: "f_new", Kind: event.Long}))
	if failure.Of(err) != failure.Fatal {
		t.Fatalf("Ensure() = %v, want a Fatal error", err)
	}
	statement := `ALTER TABLE "my tables"."order" ALTER COLUMN "f_a" TYPE bigint USING "f_a"::bigint;`
	for _, want := range []string{statement, `"f_b"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not say %s", err, want)
		}
	}
	if got := columns(t, conn); len(got) != 2 {
		t.Errorf("columns %q: a refused change must change nothing", got)
	}
	// What it says helps.
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Error(err)
	}
}

func TestFieldWithTheNameOfOurColumnIsRefused(t *testing.T) {
	for _, name := range []string{"tenant", "id", "deleted", "applied_at", "version_order"} {
		if _, err := New(Layout{}, thing(event.Field{Name: name, Kind: event.String})); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("New() with field %s = %v", name, err)
		}
	}
}

func TestEveryEntityHasATable(t *testing.T) {
	all, err := All("s")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(event.Entities()) {
		t.Errorf("%d tables for %d entities", len(all), len(event.Entities()))
	}
}
