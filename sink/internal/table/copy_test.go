// SPDX-License-Identifier: Apache-2.0

package table

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hookstream/hookstream/schemas/event"
)

// What goes by COPY, through a temporary table or row by row is what the upsert
// writes, for every kind of field, empty and null.
func TestEveryWayWritesTheSameRows(t *testing.T) {
	conn := connect(t)
	all, err := All("my tables")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range all {
		for _, s := range table.Create() {
			if _, err := conn.Exec(t.Context(), s.SQL); err != nil {
				t.Fatal(err)
			}
		}
		events := examples(table.Entity)
		staged := func(sql string) func() error {
			return func() error {
				if err := table.Stage(t.Context(), conn, events); err != nil {
					return err
				}
				_, err := conn.Exec(t.Context(), sql)
				return err
			}
		}
		want := written(t, conn, table, func() error {
			_, err := conn.Exec(t.Context(), table.Upsert(), table.Args(events)...)
			return err
		})
		for name, write := range map[string]func() error{
			"COPY": func() error {
				rows, err := table.Rows(events)
				if err != nil {
					return err
				}
				return rows.Send(t.Context(), conn.PgConn())
			},
			"a temporary table": staged(table.UpsertStaged()),
			"row by row":        staged(table.UpsertEach()),
		} {
			if got := written(t, conn, table, write); got != want {
				t.Errorf("%s by %s is\n%s\nwant\n%s", table.Name(), name, got, want)
			}
		}
	}
}

// written are the rows that write leaves, which is then undone.
func written(t *testing.T, conn *pgx.Conn, table *Table, write func() error) (rows string) {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if err := write(); err != nil {
		t.Fatalf("%s: %v", table.Name(), err)
	}
	err = tx.QueryRow(t.Context(), "select string_agg((to_jsonb(t) - 'applied_at')::text, E'\\n' order by id) from "+table.Name()+" t").Scan(&rows)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// examples are an event with every field, one with empty ones, one with none, and
// one of the last field group only.
func examples(e *event.Entity) []*event.Event {
	at := time.Date(1999, 12, 31, 23, 59, 59, 123456000, time.UTC)
	values := map[event.Kind][2]any{
		event.Long: {int64(-1 << 63), int64(0)}, event.Boolean: {true, false}, event.Double: {-1.5e300, 0.}, event.Timestamp: {at, time.UnixMicro(0)},
		event.StringArray: {[]string{"", `a"b\c{},`, "NULL", "é😀"}, []string{}},
		event.StringMap:   {map[string]string{"k": "\"\n"}, map[string]string{}}, event.JSON: {`{"n": [1, null]}`, `null`},
	}
	var full, empty []any
	for _, f := range e.Fields {
		v, ok := values[f.Kind]
		if !ok {
			v = [2]any{"a\"b\\c{},'$1\t\n é😀 \\N", ""}
		}
		full, empty = append(full, v[0]), append(empty, v[1])
	}
	var events []*event.Event
	for i, fields := range [][]any{full, empty, nil, full} {
		ev := &event.Event{Entity: e.Name, ID: string(rune('a' + i)), Fields: fields, Meta: event.Meta{
			Tenant: "t", Provider: "p", BusinessKey: "b", EventID: "e", EventType: "y", ReceivedAt: at, Deleted: i == 1,
			Version: event.Version{Order: 1 << 50, Generation: 1, Offset: 7, Revision: 3},
		}}
		if i == 0 {
			ev.Meta.OccurredAt = at
		}
		events = append(events, ev)
	}
	events[3].Meta.Groups = e.Groups[len(e.Groups)-1:]
	return events
}
