// SPDX-License-Identifier: Apache-2.0

package database

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
)

// TestWhatAPersonTookAwayIsThereAgain: or the sink says what to run, and after that it
// is content.
func TestWhatAPersonTookAwayIsThereAgain(t *testing.T) {
	for name, c := range map[string]struct {
		harm string
		// says is what the refusal has, and run what is run then; without, the object
		// is made again.
		says, run string
		// there is a query that is true in the end.
		there string
	}{
		"default partition":          {harm: "drop table hookstream.ledger_default", there: "to_regclass('hookstream.ledger_default') is not null"},
		"default partition detached": {harm: "alter table hookstream.ledger detach partition hookstream.ledger_default", says: "ATTACH PARTITION hookstream.ledger_default DEFAULT", run: "alter table hookstream.ledger attach partition hookstream.ledger_default default"},
		"default partition renamed":  {harm: "alter table hookstream.ledger_default rename to other", says: "ALTER TABLE hookstream.other RENAME TO ledger_default", run: "alter table hookstream.other rename to ledger_default"},
		"view":                       {harm: "drop view hookstream.events", there: "to_regclass('hookstream.events') is not null"},
		"index of the ledger":        {harm: "drop index hookstream.ledger_entity", there: "to_regclass('hookstream.ledger_entity') is not null"},
		"index of the deliveries":    {harm: "drop index hookstream.deliveries_seen_at", there: "to_regclass('hookstream.deliveries_seen_at') is not null"},
		"daily partition":            {harm: "drop table hookstream.ledger_20260301", there: "to_regclass('hookstream.ledger_20260301') is not null"},
		"daily partition renamed":    {harm: "alter table hookstream.ledger_20260301 rename to mine", there: "to_regclass('hookstream.ledger_20260301') is null"},
		"offsets":                    {harm: "drop table hookstream.consumer_offsets", says: "hookstream.consumer_offsets is gone"},
		"offsets renamed":            {harm: "alter table hookstream.consumer_offsets rename to o", says: "ALTER TABLE … RENAME TO consumer_offsets", run: "alter table hookstream.o rename to consumer_offsets"},
		"ledger":                     {harm: "drop table hookstream.ledger cascade", says: "PARTITION BY RANGE (occurred_at)", there: "to_regclass('hookstream.events') is not null and to_regclass('hookstream.ledger_default') is not null"},
		"ledger of the untimed":      {harm: "drop table hookstream.ledger_untimed cascade", says: "hookstream.ledger_untimed is gone"},
		"deliveries":                 {harm: "drop table hookstream.deliveries", says: "ADD COLUMN IF NOT EXISTS published_at"},
		"schema":                     {harm: "drop schema hookstream cascade", there: "to_regclass('hookstream.ledger_default') is not null"},
		"schema of the entities":     {harm: "drop schema webhooks cascade", there: "to_regclass('webhooks.customer') is not null"},
		"entity":                     {harm: "drop table webhooks.customer", there: "to_regclass('webhooks.customer') is not null"},
		"key of an entity":           {harm: "alter table webhooks.customer drop constraint customer_pkey", says: "ADD UNIQUE"},
		"column of an entity":        {harm: "alter table webhooks.customer drop column name", there: "exists (select name from webhooks.customer) is not null"},
		"type of a column":           {harm: "alter table webhooks.customer alter name type varchar(9)", says: `ALTER COLUMN "name" TYPE text`},
		"note of a migration":        {harm: "delete from hookstream.migrations where version_id = 3", says: "INSERT INTO hookstream.migrations"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t, newURL(t))
			k, err := keeper(pool)
			if err != nil {
				t.Fatal(err)
			}
			ensured := func() error { return k.Ensure(t.Context(), noon) }
			if err := ensured(); err != nil {
				t.Fatal(err)
			}
			run(t, pool, c.harm)
			if err := ensured(); c.says == "" && err != nil || c.says != "" && (failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("Ensure() = %v, want %q", err, c.says)
			} else if c.says != "" {
				sql := c.run
				if sql == "" {
					_, sql, _ = strings.Cut(err.Error(), "run\n")
					sql, _, _ = strings.Cut(sql, "\nand start")
				}
				run(t, pool, sql)
			}
			if err := ensured(); err != nil {
				t.Fatalf("after that: %v", err)
			}
			if c.there != "" && count(t, pool, "select count(*) where "+c.there) != 1 {
				t.Errorf("not so: %s", c.there)
			}
			if ddl, err := k.Diff(t.Context(), noon); err != nil || len(ddl) > 0 {
				t.Errorf("still lacking: %v, %v", ddl, err)
			}
		})
	}
}

// TestClocks: a clock that is wrong deletes nothing and makes nothing.
func TestClocks(t *testing.T) {
	pool := open(t, newURL(t))
	if _, err := Clock(t.Context(), pool, time.Now()); err != nil {
		t.Error(err)
	}
	for _, years := range []int{1, -1} {
		now, err := Clock(t.Context(), pool, time.Now().AddDate(years, 0, 0))
		if !errors.Is(err, ErrSkew) || !now.IsZero() {
			t.Errorf("%d years: %v, %v", years, now, err)
		}
	}
	k, err := keeper(pool)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	k.Log = slog.New(slog.NewTextHandler(&text, nil))
	if err := k.Ensure(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := partitions(t, pool); len(got) != 0 {
		t.Errorf("partitions of an unknown day: %v", got)
	}
}

// TestSearchPathMakesNoDifference: that of a user who is called as the schema has it.
func TestSearchPathMakesNoDifference(t *testing.T) {
	url := newURL(t)
	if err := ensure(t.Context(), open(t, url), noon); err != nil {
		t.Fatal(err)
	}
	pool := open(t, url)
	run(t, pool, "do $$ begin execute format('alter database %I set search_path = hookstream, public', current_database()); end $$")
	pool.Reset()
	if err := ensure(t.Context(), pool, noon); err != nil {
		t.Error(err)
	}
}
