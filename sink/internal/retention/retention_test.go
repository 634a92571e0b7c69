// SPDX-License-Identifier: Apache-2.0

package retention

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/sink/internal/table"
)

func TestMain(m *testing.M) { pgtest.Main(m.Run) }

const day = 24 * time.Hour

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newJob(t *testing.T) *Job {
	t.Helper()
	pool, err := database.Open(t.Context(), pgtest.Database(t), 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	tables, err := table.All("webhooks")
	if err != nil {
		t.Fatal(err)
	}
	k := database.Keeper{Pool: pool, Tables: tables, Managed: true, Log: slog.New(slog.DiscardHandler)}
	if err := k.Ensure(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	return &Job{Pool: pool, Tables: tables, Log: slog.New(slog.DiscardHandler)}
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(fmt.Errorf("%s: %w", sql, err))
	}
}

func count(t *testing.T, pool *pgxpool.Pool, sql string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// customers makes n rows of one kind that were changed at a time.
func customers(t *testing.T, pool *pgxpool.Pool, kind string, n int, deleted bool, at time.Time) {
	t.Helper()
	exec(t, pool, `insert into webhooks.customer (tenant, provider, id, business_key, deleted, applied_at)
		select 'default', $1, n::text, n::text, $3, $4 from generate_series(1, $2::integer) n`, kind, n, deleted, at)
}

func TestOnlyTombstonesThatNobodyCanMissArePurged(t *testing.T) {
	j := newJob(t)
	customers(t, j.Pool, "alive", 10, false, now.AddDate(-1, 0, 0))
	customers(t, j.Pool, "old", 2*page+1, true, now.Add(-31*day))
	customers(t, j.Pool, "young", 10, true, now.Add(-29*day))
	if err := j.Run(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if n := count(t, j.Pool, "select count(*) from webhooks.customer"); n != 2*page+21 {
		t.Fatalf("%d rows: something was purged without being asked", n)
	}
	j.Tombstones = 30 * day
	if err := j.Run(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]int{"alive": 10, "old": 0, "young": 10} {
		if n := count(t, j.Pool, "select count(*) from webhooks.customer where provider = '"+kind+"'"); n != want {
			t.Errorf("%d rows are left of the %s ones, want %d", n, kind, want)
		}
	}
}

func TestRowThatComesBackMeanwhileIsNotPurged(t *testing.T) {
	j := newJob(t)
	j.Tombstones = 30 * day
	customers(t, j.Pool, "old", 2, true, now.Add(-31*day))
	tx, err := j.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "update webhooks.customer set deleted = false, applied_at = now() where id = '1'"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- j.Run(t.Context(), now) }()
	waiting := "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
	for deadline := time.Now().Add(10 * time.Second); count(t, j.Pool, waiting) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the purge does not wait for the row")
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := count(t, j.Pool, "select count(*) from webhooks.customer where id = '1'"); n != 1 {
		t.Error("a row that came back to life was purged")
	}
	if n := count(t, j.Pool, "select count(*) from webhooks.customer"); n != 1 {
		t.Errorf("%d rows are left, want one", n)
	}
}

func TestExpiredEntriesAreDeleted(t *testing.T) {
	j := newJob(t)
	j.Ledger = 30 * day
	for written, n := range map[time.Time]int{now.Add(-31 * day): page + 1, now.Add(-29 * day): 5} {
		// Of a day without a partition of its own, whenever it was written.
		exec(t, j.Pool, `insert into hookstream.ledger select make_timestamptz(2020, 1, 1, 0, 0, 0), sha256(($2::timestamptz::text || n)::bytea), '', '', '', '', '', '', '', '', false, now(), now(), $2,
			0, 0, 0, 0, '', null, '', 0, 0, '', 0, 0, 0 from generate_series(1, $1::integer) n`, n, written)
		exec(t, j.Pool, `insert into hookstream.ledger_untimed select null, fingerprint, '', '', '', '', '', '', '', '', false, now(), now(), applied_at,
			0, 0, 0, 0, '', null, '', 0, 0, '', 0, 0, 0 from hookstream.ledger where applied_at = $1`, written)
		exec(t, j.Pool, `insert into hookstream.deliveries (fingerprint, tenant, provider, event_id, event_type, received_at, seen_at, correlation_id,
			raw_topic, raw_partition, raw_offset, event_topic, event_partition, event_offset, replay_count)
			select '\x00', '', '', '', '', now(), $2, '', '', 0, 0, '', 0, 0, 0 from generate_series(1, $1::integer)`, n, written)
	}
	if err := j.Run(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"ledger_default", "ledger_untimed", "deliveries"} {
		if n := count(t, j.Pool, "select count(*) from hookstream."+table); n != 5 {
			t.Errorf("%d rows are left in %s, want the 5 young ones", n, table)
		}
	}
}

func TestOneInstanceAtATime(t *testing.T) {
	j := newJob(t)
	j.Tombstones = 30 * day
	customers(t, j.Pool, "old", 1, true, now.Add(-31*day))
	err := database.Locked(t.Context(), j.Pool, database.PurgeLock, func(pgx.Tx) error { return j.Run(t.Context(), now) })
	if err != nil {
		t.Fatalf("another instance's turn is an error: %v", err)
	}
	if n := count(t, j.Pool, "select count(*) from webhooks.customer"); n != 1 {
		t.Error("purged without the lock")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Run(ctx, now); !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v after its context ended", err)
	}
}
