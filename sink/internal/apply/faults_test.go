// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/sink/internal/sqlstate"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
)

// fault is something that goes wrong with Postgres while a batch of 200 new rows
// and an update of row "held" is applied, and passes.
type fault struct {
	name string
	// codes are the SQLSTATEs that may be seen; "" is a lost connection.
	codes []string
	// settings of the server.
	settings []string
	// inject causes the fault and returns how it passes. It may go on by
	// itself while the batch is applied.
	inject func(t *testing.T, w *world) (heal func())
	// skip says what is missing to cause it here.
	skip func() string
}

var faults = []fault{
	{name: "statement timeout", codes: []string{"57014"}, inject: statementTimeout},
	{name: "lock timeout", codes: []string{"55P03"}, inject: lockTimeout},
	{name: "deadlock", codes: []string{"40P01"}, inject: deadlock},
	{name: "session terminated", codes: []string{"57P01", ""}, inject: terminate},
	{name: "too many connections", codes: []string{"53300"}, settings: []string{"max_connections=8"}, inject: tooManyConnections},
	{name: "disk full", codes: []string{"53100", "XX000"}, inject: diskFull, skip: needs("prlimit")},
	{name: "out of memory", codes: []string{"53200"}, inject: outOfMemory, skip: needs("prlimit")},
}

// TestFaultsPass: whatever goes wrong, the batch waits, nothing is dead-lettered,
// and in the end each event is applied once.
func TestFaultsPass(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			if f.skip != nil && f.skip() != "" {
				t.Skip(f.skip())
			}
			w := newWorldAt(t, pgtest.New(t, f.settings...).URL())
			w.applyEvents(t, newEvent("customer", "held", "first", 1, nil))
			batches := w.batches(t, w.records(t, append(customers(200), newEvent("customer", "held", "second", 2, nil))...))
			heal := f.inject(t, w)
			err := w.store.Apply(t.Context(), batches, nil)
			heal()
			if err == nil || failure.Of(err) != failure.Transient || !slices.Contains(f.codes, sqlstate.Code(err)) {
				t.Fatalf("Apply() = %v (%s), want a Transient error with a SQLSTATE of %q", err, sqlstate.Code(err), f.codes)
			}
			t.Logf("SQLSTATE %q: %v", sqlstate.Code(err), err)
			must(t, failure.Retry(t.Context(), failure.DefaultBackoff, func(ctx context.Context) error {
				return w.store.Apply(ctx, batches, nil)
			}, nil))
			if got := one[int](t, w, "select count(*) from hookstream.ledger where outcome = 'applied'"); got != 202 {
				t.Errorf("%d events were applied, want 202", got)
			}
			if n := len(w.letters(t)); n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

// customers are events of n customers that are new.
func customers(n int) []*event.Event { return customersFrom(0, n) }

func customersFrom(first, n int) []*event.Event {
	var events []*event.Event
	for i := first; i < first+n; i++ {
		id := fmt.Sprintf("c%06d", i)
		events = append(events, newEvent("customer", id, "e-"+id, int64(i), map[string]any{"description": "A customer of the kind that faults are tried on."}))
	}
	return events
}

func needs(program string) func() string {
	return func() string {
		if _, err := exec.LookPath(program); err != nil {
			return "no " + program + " to limit the server's process with"
		}
		return ""
	}
}

// hold locks row "held" in a transaction of its own.
func hold(t *testing.T, w *world) pgx.Tx {
	t.Helper()
	conn, err := pgx.ConnectConfig(t.Context(), w.pool.Config().ConnConfig)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(t.Context())
	must(t, err)
	_, err = tx.Exec(t.Context(), "set deadlock_timeout = '1min'; select from webhooks.customer where id = 'held' for update")
	must(t, err)
	return tx
}

func statementTimeout(t *testing.T, w *world) func() {
	w.exec(t, "alter database postgres set lock_timeout = '1min'") // the lock is as good as a slow statement then
	w.pool.Reset()
	w.store.begin = beginSQL(&Config{StatementTimeout: 200 * time.Millisecond}, idleTimeout)
	tx := hold(t, w)
	return func() { must(t, tx.Rollback(t.Context())) }
}

func lockTimeout(t *testing.T, w *world) func() {
	w.store.begin = beginSQL(&Config{StatementTimeout: 2 * time.Second}, idleTimeout) // of which a tenth
	tx := hold(t, w)
	return func() { must(t, tx.Rollback(t.Context())) }
}

// deadlock is somebody who has "held" and wants the batch's offset. The sink
// notices, for only its session looks for deadlocks; it looks once in each wait, so
// the table is closed to it until the other one waits.
func deadlock(t *testing.T, w *world) func() {
	w.exec(t, "alter database postgres set deadlock_timeout = '50ms'")
	w.exec(t, "alter database postgres set lock_timeout = '1min'")
	w.pool.Reset()
	tx := hold(t, w)
	gate, err := w.pool.Begin(t.Context())
	must(t, err)
	_, err = gate.Exec(t.Context(), "lock table webhooks.customer in share mode")
	must(t, err)
	blocked, opened := make(chan error, 1), make(chan error, 1)
	go func() {
		if err := waiting(t.Context(), w, 1); err != nil {
			blocked <- err
			return
		}
		_, err := tx.Exec(t.Context(), "update hookstream.consumer_offsets set updated_at = now()")
		blocked <- err
	}()
	go func() { opened <- errors.Join(waiting(t.Context(), w, 2), gate.Rollback(t.Context())) }()
	return func() {
		must(t, <-opened)
		must(t, <-blocked)
		must(t, tx.Rollback(t.Context()))
	}
}

func terminate(t *testing.T, w *world) func() {
	tx := hold(t, w)
	done := make(chan error, 1)
	go func() {
		err := waiting(t.Context(), w, 1)
		if err == nil {
			_, err = tx.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'")
		}
		done <- err
	}()
	return func() {
		must(t, <-done)
		must(t, tx.Rollback(t.Context()))
	}
}

// waiting returns when n sessions wait for a lock.
func waiting(ctx context.Context, w *world, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		var got int
		err := w.pool.QueryRow(ctx, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'").Scan(&got)
		if err != nil || got >= n {
			return err
		}
		if err := failure.Sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func tooManyConnections(t *testing.T, w *world) func() {
	w.pool.Reset()
	var others []*pgx.Conn
	for {
		conn, err := pgx.ConnectConfig(t.Context(), w.pool.Config().ConnConfig)
		if err != nil {
			break
		}
		others = append(others, conn)
	}
	return func() {
		for _, conn := range others {
			must(t, conn.Close(t.Context()))
		}
	}
}

// diskFull limits the size of the files that the server's process may write, to
// just above that of the table: a disk that is full answers the same.
func diskFull(t *testing.T, w *world) func() {
	// Above the size of the write-ahead log's files, which the limit is on, too.
	w.exec(t, `insert into webhooks.customer (tenant, provider, id, business_key, description)
		select 'default', 'filler', i::text, '', repeat(md5(i::text), 60) from generate_series(1, 10000) i`)
	size := one[int64](t, w, "select pg_relation_size('webhooks.customer')")
	if size < 17<<20 {
		t.Fatalf("the table has %d bytes", size)
	}
	return limited(t, w, "fsize", size+100)
}

// outOfMemory leaves the server's process what it has.
func outOfMemory(t *testing.T, w *world) func() {
	return limited(t, w, "as", 1<<20)
}

// limited limits the server's process behind the store's only connection.
func limited(t *testing.T, w *world, resource string, limit int64) func() {
	cfg := w.pool.Config()
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	t.Cleanup(pool.Close)
	w.store.cfg.Pool = pool
	conn, err := pool.Acquire(t.Context())
	must(t, err)
	defer conn.Release()
	// What a session loads when it is first used is not what is tried here.
	_, err = conn.Exec(t.Context(), "select count(*) from webhooks.customer, hookstream.events")
	must(t, err)
	return pgtest.Limit(t, conn.Conn().PgConn().PID(), resource, limit)
}

func TestFailoverToAStandby(t *testing.T) {
	primary := pgtest.New(t)
	newWorldAt(t, primary.URL()) // makes the tables
	standby := primary.Standby(t)
	w := newWorldAt(t, pgtest.Failover(primary, standby))
	w.applyEvents(t, newEvent("customer", "a", "e1", 1, nil))
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "e2", 2, nil)))
	primary.Stop() // which sends the standby all that it has
	for range 2 {  // the connections that are lost, then those that lead to the standby
		wantTransient(t, w, batches)
	}
	standby.Promote(t)
	must(t, failure.Retry(t.Context(), failure.DefaultBackoff, func(ctx context.Context) error {
		return w.store.Apply(ctx, batches, nil)
	}, nil))
	wantOutcomes(t, w, map[string]string{"e1": "applied", "e2": "applied"})
	if n := len(w.letters(t)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	claims, err := w.store.Claims(t.Context(), []kafka.Partition{batches[0].Partition})
	must(t, err)
	if got := claims[batches[0].Partition].Next; got != 2 {
		t.Errorf("next offset %d, want 2", got)
	}
}

// TestOldPrimaryIsAStandbyNow: the URL names it first, and it answers, but it is
// the other one that takes writes.
func TestOldPrimaryIsAStandbyNow(t *testing.T) {
	primary := pgtest.New(t)
	newWorldAt(t, primary.URL()) // makes the tables
	standby := primary.Standby(t)
	w := newWorldAt(t, pgtest.Failover(primary, standby))
	w.applyEvents(t, newEvent("customer", "a", "e1", 1, nil))
	primary.Stop()
	standby.Promote(t)
	primary.Follow(t, standby)
	batches := w.batches(t, w.records(t, newEvent("customer", "a", "e2", 2, nil)))
	w.pool.Reset() // all of its connections are lost
	must(t, w.store.Apply(t.Context(), batches, nil))
	wantOutcomes(t, w, map[string]string{"e1": "applied", "e2": "applied"})
}
