// SPDX-License-Identifier: Apache-2.0

package database

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/sink/internal/table"
	"github.com/hookstream/hookstream/stage/failure"
)

func TestMain(m *testing.M) { pgtest.Main(m.Run) }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newURL(t *testing.T) string {
	t.Helper()
	return pgtest.Database(t)
}

func open(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := Open(t.Context(), url, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func keeper(pool *pgxpool.Pool) (*Keeper, error) {
	tables, err := table.All("webhooks")
	return &Keeper{Pool: pool, Tables: tables, Managed: true, Log: slog.New(slog.DiscardHandler)}, err
}

func ensure(ctx context.Context, pool *pgxpool.Pool, now time.Time) error {
	k, err := keeper(pool)
	if err != nil {
		return err
	}
	return k.Ensure(ctx, now)
}

func count(t *testing.T, pool *pgxpool.Pool, sql string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestInstancesThatStartTogether(t *testing.T) {
	url := pgtest.Database(t)
	errs := make([]error, 3)
	var wg sync.WaitGroup
	for i := range errs {
		pool := open(t, url)
		wg.Go(func() {
			errs[i] = failure.Retry(t.Context(), failure.DefaultBackoff, func(ctx context.Context) error {
				return ensure(ctx, pool, noon)
			}, nil)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	pool := open(t, url)
	if err := ensure(t.Context(), pool, noon); err != nil {
		t.Fatalf("a restart: %v", err)
	}
	for sql, want := range map[string]int{
		"select count(*) from pg_tables where schemaname = 'webhooks'":                                         len(event.Entities()),
		"select count(*) from hookstream.events":                                                               0,
		"select count(*) from pg_inherits where inhparent = 'hookstream.ledger'::regclass":                     daysBehind + 1 + daysAhead + 1,
		"select count(*) from hookstream.migrations where version_id > 0":                                      4,
		"select count(*) from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = 'public'": 0,
	} {
		if got := count(t, pool, sql); got != want {
			t.Errorf("%s: %d, want %d", sql, got, want)
		}
	}
}

// TestLockIsNotKeptBySilentProcesses: the server ends the transaction of one, and no
// setting outlives it.
func TestLockIsNotKeptBySilentProcesses(t *testing.T) {
	pool := open(t, pgtest.Database(t))
	const show = "select current_setting('idle_in_transaction_session_timeout') || ' ' || current_setting('lock_timeout')"
	var inside, after string
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Locked(t.Context(), pool, PurgeLock, func(tx pgx.Tx) error { return tx.QueryRow(t.Context(), show).Scan(&inside) }))
	must(pool.QueryRow(t.Context(), show).Scan(&after))
	if inside != "1min 5s" || after != "0 0" {
		t.Errorf("the settings are %q, and %q afterwards", inside, after)
	}
}

func TestPartitionsMoveWithTheCalendar(t *testing.T) {
	pool := open(t, pgtest.Database(t))
	if err := ensure(t.Context(), pool, noon); err != nil {
		t.Fatal(err)
	}
	insert := func(at time.Time) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), insertEntry, at, at); err != nil {
			t.Fatal(err)
		}
	}
	// Midnight belongs to the new day; a day without a partition goes to the
	// default one, and stays there.
	insert(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	insert(noon.AddDate(0, 0, 100))
	if got := count(t, pool, "select count(*) from hookstream.ledger_20260302"); got != 1 {
		t.Errorf("%d events in the partition of their day", got)
	}
	if err := ensure(t.Context(), pool, noon.AddDate(0, 0, 100)); err != nil {
		t.Fatal(err)
	}
	if got := count(t, pool, "select count(*) from hookstream.ledger_default"); got != 1 {
		t.Errorf("%d events in the default partition", got)
	}
	if got := count(t, pool, "select count(*) from pg_class where relname = 'ledger_20260610'"); got != 1 {
		t.Error("the day after has no partition")
	}
}

func TestOpenHidesThePassword(t *testing.T) {
	_, err := Open(t.Context(), "postgres://u:hunter2@h:99999999/d", 2)
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "HOOKSTREAM_DATABASE_URL") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Open() = %v", err)
	}
}

func TestMissingDatabaseIsFatal(t *testing.T) {
	url := pgtest.Database(t)
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	pool := open(t, strings.Replace(url, cfg.ConnConfig.Database, "absent", 1))
	if err := ensure(t.Context(), pool, noon); failure.Of(err) != failure.Fatal {
		t.Errorf("Ensure() = %v, want a Fatal error", err)
	}
}
