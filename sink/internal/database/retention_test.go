// SPDX-License-Identifier: Apache-2.0

package database

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const insertEntry = `insert into hookstream.ledger (occurred_at, fingerprint, tenant, provider, event_id, event_type, entity, entity_id,
	business_key, outcome, deleted, received_at, published_at, applied_at, version_order, version_generation, version_offset, version_revision,
	correlation_id, raw_topic, raw_partition, raw_offset, event_topic, event_partition, event_offset, replay_count)
	values ($1, '\x00', '', '', '', '', '', '', '', '', false, now(), now(), $2, 0, 0, 0, 0, '', '', 0, 0, '', 0, 0, 0)`

// partitions are the ledger's, but for the default one.
func partitions(t *testing.T, pool *pgxpool.Pool) []string {
	t.Helper()
	rows, err := pool.Query(t.Context(), "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'hookstream.ledger'::regclass and c.relname <> 'ledger_default' order by 1")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestExpiredPartitionsAreDroppedUnlessTheyGotAnEventSince(t *testing.T) {
	pool := open(t, newURL(t))
	k, err := keeper(pool)
	if err != nil {
		t.Fatal(err)
	}
	k.Retention = 30 * 24 * time.Hour
	if err := k.Ensure(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	run(t, pool, "create table hookstream.ledger_of_ours partition of hookstream.ledger for values from ('2020-01-01') to ('2020-02-01')")
	later := noon.AddDate(0, 0, 31)
	// Of two days that are over for longer than the retention, one got an
	// event late: a repeat of it may still come.
	for occurred, applied := range map[time.Time]time.Time{
		noon.AddDate(0, 0, -3): noon,
		noon.AddDate(0, 0, -2): noon.AddDate(0, 0, 20),
	} {
		if _, err := pool.Exec(t.Context(), insertEntry, occurred, applied); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Partitions(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	got := partitions(t, pool)
	for name, want := range map[string]bool{
		"ledger_20260226": false, "ledger_20260227": true, "ledger_20260228": false,
		"ledger_20260301": false, // empty, and over for 30.5 days
		"ledger_20260302": true, "ledger_20260408": true, "ledger_of_ours": true,
	} {
		if slices.Contains(got, name) != want {
			t.Errorf("partition %s is there: %v, want %v; all: %v", name, !want, want, got)
		}
	}
	// A writer that comes between the look and the drop is seen.
	day := noon.AddDate(0, 0, -2).Truncate(24 * time.Hour)
	run(t, pool, dropPartition(day, later.Add(-k.Retention)).SQL)
	if !slices.Contains(partitions(t, pool), "ledger_20260227") {
		t.Error("a partition with a late event was dropped")
	}
	// Nor is it an error that another instance was faster.
	run(t, pool, dropPartition(noon.AddDate(0, 0, -3).Truncate(24*time.Hour), later.Add(-k.Retention)).SQL)
}

// TestReaderOfTheLedgerPutsItsPartitionsOff: while somebody's query runs, which
// would make all writers wait behind the drop, there is one short try and no more.
func TestReaderOfTheLedgerPutsItsPartitionsOff(t *testing.T) {
	pool := open(t, newURL(t))
	k, err := keeper(pool)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	k.Retention, k.Log = 30*24*time.Hour, slog.New(slog.NewTextHandler(&log, nil))
	if err := k.Ensure(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	before := partitions(t, pool)
	query, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := query.Exec(t.Context(), "select count(*) from hookstream.ledger"); err != nil {
		t.Fatal(err)
	}
	// 31 days later there are partitions to create, and others to drop.
	if err := k.Ensure(t.Context(), noon.AddDate(0, 0, 31)); err != nil {
		t.Errorf("Ensure() = %v: it is not urgent", err)
	}
	for _, want := range []string{"created another time", "dropped another time"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("the log says %d times that partitions are %s: %s", n, want, &log)
		}
	}
	if n := strings.Count(log.String(), "lock timeout"); n != 2 {
		t.Errorf("the lock was waited for %d times, want one for each: %s", n, &log)
	}
	if err := query.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := partitions(t, pool); !slices.Equal(got, before) {
		t.Errorf("partitions %v, were %v", got, before)
	}
	if err := k.Partitions(t.Context(), noon.AddDate(0, 0, 31)); err != nil {
		t.Fatal(err)
	}
	if got := partitions(t, pool); slices.Contains(got, before[0]) || !slices.Contains(got, "ledger_20260408") {
		t.Errorf("partitions %v after the query", got)
	}
}
