// SPDX-License-Identifier: Apache-2.0

package table

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/stage/failure"
)

// payments are two targets of one entity with two field groups: one with a
// joined key and packed versions, one with columns for every part.
var payments = []struct{ ddl, layout string }{
	{
		`create table "my tables".pay (hook text unique, iv bytea, cv bytea, gone boolean, state varchar(20), amount numeric(20), charge text, seen timestamptz, note text default 'ours')`,
		`target: {key: {key: hook}, version: {payment: {column: iv}, charge: {column: cv}},
    columns: {deleted: gone, status: state, amount: amount, charge_id: charge, applied_at: seen}}`,
	},
	{
		`create table "my tables".pay (t text, p text, ref text, io numeric, ig integer, "if" bigint, ir integer, co bigint, cg bigint, cf bigint, cr bigint,
			gone boolean, state text, amount bigint, charge text, note text default 'ours', primary key (ref, t, p)) partition by hash (ref);
		 create table "my tables".pay0 partition of "my tables".pay for values with (modulus 1, remainder 0)`,
		`target: {key: {tenant: t, provider: p, id: ref},
    version: {payment: {order: io, generation: ig, offset: if, revision: ir}, charge: {order: co, generation: cg, offset: cf, revision: cr}},
    columns: {deleted: gone, status: state, amount: amount, charge_id: charge}}`,
	},
}

func targetTable(t *testing.T, layout string) *Table {
	t.Helper()
	all, err := load(t, "payment:\n  schema: my tables\n  table: pay\n  "+layout+"\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range all {
		if table.Entity.Name == "payment" {
			return table
		}
	}
	t.Fatal("no payment")
	return nil
}

// snapshot is an event of a payment at a version.
func snapshot(order int64, offset int64, deleted bool, groups ...string) *event.Event {
	fields := map[string]any{}
	for _, g := range groups {
		value := fmt.Sprint(order, "/", offset)
		if g == "payment" {
			fields["status"], fields["amount"] = value, order
		} else {
			fields["charge_id"] = value
		}
	}
	ev := &event.Event{Entity: "payment", ID: "a/b\nc", Meta: event.Meta{
		Tenant: "default", Provider: "acme", Deleted: deleted, Groups: groups,
		Version: event.Version{Order: order, Generation: 1, Offset: offset},
	}}
	for name, v := range fields {
		ev.SetField(name, v)
	}
	return ev
}

// upsert applies one event and checks that what comes back is its key.
func upsert(t *rapid.T, conn *pgx.Conn, table *Table, ev *event.Event) {
	t.Helper()
	ctx := t.Context()
	rows, err := conn.Query(ctx, table.Upsert(), table.Args([]*event.Event{ev})...)
	if err != nil {
		t.Fatal(err)
	}
	var k Key
	if _, err := pgx.ForEachRow(rows, []any{&k.Tenant, &k.Provider, &k.ID}, func() error {
		if k != KeyOf(ev) {
			t.Fatalf("key %q came back, want %q", k, KeyOf(ev))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTargetsConverge(t *testing.T) {
	for i, p := range payments {
		conn := connect(t)
		if _, err := conn.Exec(t.Context(), p.ddl); err != nil {
			t.Fatal(err)
		}
		table := targetTable(t, p.layout)
		wantNoDiff(t, conn, table)
		t.Run(fmt.Sprint(i), rapid.MakeCheck(func(rt *rapid.T) {
			ctx := rt.Context()
			if _, err := conn.Exec(ctx, `truncate "my tables".pay`); err != nil {
				rt.Fatal(err)
			}
			newest := map[string]*event.Event{}
			var events []*event.Event
			for n := range rapid.IntRange(1, 8).Draw(rt, "events") {
				groups := rapid.SampledFrom([][]string{{"payment"}, {"charge"}, {"payment", "charge"}}).Draw(rt, "groups")
				// Times collide; offsets do not.
				ev := snapshot(rapid.Int64Range(1, 3).Draw(rt, "order"), int64(n), rapid.Bool().Draw(rt, "deleted"), groups...)
				events = append(events, ev)
				for _, g := range groups {
					if old := newest[g]; old == nil || ev.Meta.Version.Compare(old.Meta.Version) > 0 {
						newest[g] = ev
					}
				}
			}
			for _, ev := range rapid.Permutation(append(events, events[0])).Draw(rt, "order of arrival") {
				upsert(rt, conn, table, ev)
			}
			var gone bool
			var state, charge, note *string
			var amount *int64
			if err := conn.QueryRow(ctx, `select gone, state, amount::bigint, charge, note from "my tables".pay`).Scan(&gone, &state, &amount, &charge, &note); err != nil {
				rt.Fatal(err)
			}
			want := map[string]any{}
			if ev := newest["payment"]; ev != nil {
				want["status"], want["amount"], want["deleted"] = ev.Field("status"), ev.Field("amount"), ev.Meta.Deleted
			} else {
				want["deleted"] = false
			}
			if ev := newest["charge"]; ev != nil {
				want["charge_id"] = ev.Field("charge_id")
			}
			got := map[string]any{"deleted": gone}
			if state != nil {
				got["status"], got["amount"] = *state, *amount
			}
			if charge != nil {
				got["charge_id"] = *charge
			}
			if !maps.Equal(got, want) || *note != "ours" {
				rt.Fatalf("the row is %v (%s), want %v", got, *note, want)
			}
		}))
	}
}

func TestRowsThatWereThereBeforeAreOlderThanAnyEvent(t *testing.T) {
	conn := connect(t)
	if _, err := conn.Exec(t.Context(), payments[0].ddl+`; insert into "my tables".pay (hook, state) values (E'default/acme/a/b\nc', 'imported')`); err != nil {
		t.Fatal(err)
	}
	table := targetTable(t, payments[0].layout)
	state := func() (s string) {
		if err := conn.QueryRow(t.Context(), `select state from "my tables".pay`).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	apply := func(ev *event.Event) {
		if _, err := conn.Exec(t.Context(), table.Upsert(), table.Args([]*event.Event{ev})...); err != nil {
			t.Fatal(err)
		}
	}
	if apply(snapshot(1, 1, false, "charge")); state() != "imported" {
		t.Errorf("state %s: an event of another group changed it", state())
	}
	if apply(snapshot(0, 0, false, "payment")); state() != "0/0" {
		t.Errorf("state %s: the event was not applied", state())
	}
}

func TestTargetThatDoesNotFitIsRefused(t *testing.T) {
	const table = `"my tables".pay`
	for name, c := range map[string]struct{ spoil, want string }{
		"missing":      {"drop table " + table, "does not exist"},
		"no column":    {"alter table " + table + " drop amount", `no column "amount"`},
		"type":         {"alter table " + table + " alter amount type real", `column "amount" of type real, which does not take every bigint`},
		"time zone":    {"alter table " + table + " alter seen type timestamp", `column "seen" of type timestamp without time zone`},
		"no key":       {"alter table " + table + " drop constraint pay_hook_key", "no unique key of exactly hook"},
		"required":     {"alter table " + table + " add owner text not null", `column "owner" with NOT NULL and no default`},
		"generated":    {"alter table " + table + " drop amount, add amount bigint generated always as (1) stored", "whose value Postgres always generates"},
		"view":         {"drop table " + table + "; create view " + table + " as select 1 as hook", "is not a table"},
		"version type": {"alter table " + table + " alter cv type text using null", `column "cv" of type text`},
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t)
			if _, err := conn.Exec(t.Context(), payments[0].ddl+";"+c.spoil); err != nil {
				t.Fatal(err)
			}
			err := run(t, conn, targetTable(t, payments[0].layout))
			if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Diff() = %v, want a Fatal error that says %s", err, c.want)
			}
		})
	}
}

func TestMissingRightsAreNamed(t *testing.T) {
	conn := connect(t)
	e := thing(event.Field{Name: "f_a", Kind: event.String})
	if err := ensure(t, conn, e); err != nil {
		t.Fatal(err)
	}
	role := "r" + strings.ReplaceAll(strings.ToLower(t.Name()), "/", "_")
	if _, err := conn.Exec(t.Context(), `do $$ begin create role `+role+`; exception when duplicate_object then null; end $$;
		grant usage on schema "my tables" to `+role+`; set role `+role); err != nil {
		t.Fatal(err)
	}
	if err := ensure(t, conn, e); failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, UPDATE ON") {
		t.Errorf("Diff() = %v, want a Fatal error with the GRANT", err)
	}
}
