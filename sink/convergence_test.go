// SPDX-License-Identifier: Apache-2.0

package sink

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/sink/internal/database"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/runtest"
)

// at makes the pipeline's sinks and checks use another database.
func (p *pipeline) at(t *testing.T, url string) {
	t.Helper()
	p.cfg.DatabaseURL = setting.Secret(url)
	var err error
	p.pool, err = database.Open(t.Context(), url, 2)
	must(t, err)
	t.Cleanup(p.pool.Close)
}

// content is all rows, without when they were written.
func content(t *testing.T, pool *pgxpool.Pool) (text string) {
	t.Helper()
	must(t, pool.QueryRow(t.Context(), `select string_agg(line, E'\n' order by line) from (
		select (to_jsonb(c) - 'applied_at')::text as line from webhooks.customer c
		union all select (to_jsonb(e) - 'applied_at')::text from hookstream.events e) as all_of_it`).Scan(&text))
	return text
}

func TestRestoredOlderDatabaseConverges(t *testing.T) {
	server := pgtest.New(t)
	admin, err := pgxpool.New(t.Context(), server.URL())
	must(t, err)
	t.Cleanup(admin.Close)
	exec := func(sql string) {
		t.Helper()
		_, err := admin.Exec(t.Context(), sql)
		must(t, err)
	}
	named := func(name string) string { return strings.Replace(server.URL(), "/postgres?", "/"+name+"?", 1) }
	exec("create database live")
	p := newPipeline(t, named("live"))
	p.send(t, 0, 100)
	r := p.start(t)
	p.await(t, 100)
	r.Stop()
	p.pool.Close()
	exec("create database backup template live")

	p.at(t, named("live"))
	p.sendVersion(t, 50, 150, 2) // changes half of the rows that the backup has
	p.sendVersion(t, 0, 10, 0)   // and is stale for some
	r = p.start(t)
	p.await(t, 150)
	p.awaitEvents(t, 210)
	r.Stop()
	want := content(t, p.pool)

	// Kafka's group is ahead of the backup now; the sink goes by the backup.
	p.at(t, named("backup"))
	if n := p.customers(t); n != 100 {
		t.Fatalf("the backup has %d rows, want 100", n)
	}
	r = p.start(t)
	p.await(t, 150)
	p.awaitEvents(t, 210)
	r.Stop()
	if got := content(t, p.pool); got != want {
		t.Errorf("the restored database has\n%s\nwant\n%s", got, want)
	}
}

func TestPgBouncerInTransactionMode(t *testing.T) {
	server := pgtest.New(t)
	// Two sinks with pools of four share two connections.
	url := server.Bouncer(t, 2)
	p := newPipeline(t, url)
	p.cfg.PurgeAfter, p.cfg.LedgerRetention = 800*time.Hour, 800*time.Hour
	p.send(t, 0, 100)
	first, second := p.start(t), p.start(t)
	p.await(t, 100)
	for n := 100; n < 1000; n += 100 {
		p.send(t, n, n+100)
	}
	p.await(t, 1000)
	first.Stop()
	p.sendVersion(t, 0, 100, 2)
	p.awaitEvents(t, 1100)
	second.Stop()
	p.wantLedger(t, 1100)
}

func TestRepeatAfterTheWindowIsCaught(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	p.send(t, 0, 20)
	r := p.start(t)
	p.await(t, 20)
	before := content(t, p.pool)
	// Transform has forgotten the events: their webhooks come again, of a
	// later time and place.
	p.sendAgain(t, 0, 20)
	deliveries := func() (n int) {
		must(t, p.pool.QueryRow(t.Context(), "select count(*) from hookstream.deliveries where published_at is not null and raw_offset >= 1000").Scan(&n))
		return n
	}
	runtest.Eventually(t, "20 repeats", func() bool { return deliveries() == 20 })
	r.Stop()
	if got := content(t, p.pool); got != before {
		t.Errorf("the repeats changed something: %s\nwas\n%s", got, before)
	}
}

func TestTargetOfOnesOwn(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	_, err := p.pool.Exec(t.Context(), `create schema crm;
		create table crm.accounts (id bigint generated always as identity primary key, hook text unique, title varchar(80), gone boolean, ver bytea, owner text default 'nobody')`)
	must(t, err)
	p.cfg.TablesFile = filepath.Join(t.TempDir(), "tables.yaml")
	must(t, os.WriteFile(p.cfg.TablesFile, []byte(`
customer:
  schema: crm
  table: accounts
  target:
    key: {key: hook}
    version: {customer: {column: ver}}
    columns: {name: title, deleted: gone}
`), 0o600))
	p.send(t, 0, 50)
	p.sendVersion(t, 0, 25, 2)
	r := p.start(t)
	p.awaitEvents(t, 75)
	r.Stop()
	p.wantLedger(t, 75)
	var n int
	must(t, p.pool.QueryRow(t.Context(), `select count(*) from crm.accounts where hook = 'default/acme/' || split_part(title, ' ', 1) and not gone and owner = 'nobody'`).Scan(&n))
	if n != 50 {
		t.Errorf("%d accounts, want 50", n)
	}
}

// TestPartitionedTable: rows that are new and rows that are there, in small
// batches and in large ones, find their partitions.
func TestPartitionedTable(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	p.cfg.TablesFile = filepath.Join(t.TempDir(), "tables.yaml")
	must(t, os.WriteFile(p.cfg.TablesFile, []byte("customer:\n  partitions: 4\n"), 0o600))
	r := p.start(t)
	p.send(t, 0, 500)
	p.awaitEvents(t, 500)
	p.sendVersion(t, 0, 400, 3)
	p.awaitEvents(t, 900)
	p.sendVersion(t, 390, 405, 2) // stale, but for the last five
	p.awaitEvents(t, 915)
	r.Stop()
	var partitions, rows, old, middle int
	must(t, p.pool.QueryRow(t.Context(), `select count(distinct tableoid), count(*), count(*) filter (where name = id || ' 1'), count(*) filter (where name = id || ' 2') from webhooks.customer`).
		Scan(&partitions, &rows, &old, &middle))
	if partitions != 4 || rows != 500 || old != 95 || middle != 5 {
		t.Errorf("%d rows in %d partitions, %d of them of version 1 and %d of version 2; want 500 in 4, 95 and 5", rows, partitions, old, middle)
	}
	p.wantLedger(t, 905)
}

// TestRestoredDatabaseOlderThanTheLog: the gap is named, with what moves the offset,
// and that does.
func TestRestoredDatabaseOlderThanTheLog(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	p.send(t, 0, 50)
	r := p.start(t)
	p.await(t, 50)
	r.Stop()
	admin := kadm.NewClient(p.client)
	topic := p.cfg.Kafka.Topics.Events("customer")
	p.send(t, 50, 100)
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	must(t, err)
	_, err = admin.DeleteRecords(t.Context(), ends.Offsets())
	must(t, err)
	p.send(t, 100, 120)
	for range 2 { // partitions, one at a time at worst
		err = p.start(t).Wait()
		if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "were deleted before they were applied") || !strings.Contains(err.Error(), p.cfg.Group) {
			t.Fatalf("Run() = %v, want the gap", err)
		}
		_, sql, _ := strings.Cut(err.Error(), "run in the database\n")
		sql, _, _ = strings.Cut(sql, "\n")
		p.exec(t, sql)
	}
	r = p.start(t)
	p.await(t, 70)
	r.Stop()
	p.wantLedger(t, 70)
}

// TestSecondGroupIsRefused: it would note all events as repeats. What it prints makes it
// the first.
func TestSecondGroupIsRefused(t *testing.T) {
	p := newPipeline(t, pgtest.Database(t))
	p.send(t, 0, 20)
	r := p.start(t)
	p.await(t, 20)
	r.Stop()
	p.cfg.Group += "-other"
	err := p.start(t).Wait()
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "HOOKSTREAM_SINK_GROUP") {
		t.Fatalf("Run() = %v, want a refusal", err)
	}
	_, sql, _ := strings.Cut(err.Error(), "run in the database\n")
	sql, _, _ = strings.Cut(sql, "\n")
	p.exec(t, sql)
	p.send(t, 20, 40)
	r = p.start(t)
	p.await(t, 40)
	r.Stop()
	p.wantLedger(t, 40)
}
