// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/sink/internal/ledger"
	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/fenced"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
)

// BenchmarkSink compares the sink, from Kafka record to commit, with COPY of the
// same rows and the same ledger rows into tables with the same keys and indexes,
// in transactions of the same size, on one server that waits for its disk as it
// does in production. Batches alternate, so that what disturbs one disturbs the
// other. The ratio is of rows a second. Where half of the rows are there already,
// the sink updates them, while COPY has new rows only.
func BenchmarkSink(b *testing.B) {
	sizes := []int{1, 100, 1000, 10_000}
	if testing.Short() {
		sizes = []int{100, 1000}
	}
	for _, synchronous := range []bool{false, true} {
		for _, size := range sizes {
			for _, mixed := range []bool{false, true} {
				b.Run(fmt.Sprintf("synchronous_commit=%t/rows=%d/half_there=%t", synchronous, size, mixed), func(b *testing.B) {
					benchSink(b, synchronous, size, mixed)
				})
			}
		}
	}
}

func benchSink(b *testing.B, synchronous bool, size int, mixed bool) {
	service.RaiseHeapFloor() // as the service does
	server := pgtest.New(b, "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
	w := newWorldAt(b, server.URL())
	w.store.cfg.SynchronousCommit = synchronous
	w.store.begin = beginSQL(&w.store.cfg, idleTimeout)
	w.exec(b, "create database plain")
	plain := newWorldAt(b, strings.Replace(server.URL(), "/postgres?", "/plain?", 1))
	feed := newFeed(b, w)
	feed.mixed = mixed
	feed.next(b, size)
	prepared := w.store.Prepare(b.Context(), feed.ahead)
	var sink, copied time.Duration
	for b.Loop() {
		batches := feed.next(b, size)
		ready := make(chan any)
		started := time.Now()
		go func() { // the loop prepares the next batch, too
			ready <- w.store.Prepare(b.Context(), feed.ahead)
		}()
		must(b, w.store.Apply(b.Context(), batches, prepared))
		prepared = <-ready
		sink += time.Since(started)

		items := feed.copies(itemsOf(b, prepared))
		started = time.Now()
		must(b, plainCopy(b.Context(), plain.pool, w.store.begin, items))
		copied += time.Since(started)
	}
	b.ReportMetric(float64(b.N*size)/sink.Seconds(), "rows/s")
	b.ReportMetric(float64(b.N*size)/copied.Seconds(), "COPY-rows/s")
	b.ReportMetric(copied.Seconds()/sink.Seconds(), "ratio")
}

// BenchmarkPaths compares COPY with an INSERT from arrays, by the number of rows:
// for rows that are new, and for rows that are there, which COPY sends to a
// temporary table. A ratio above 1 means that COPY is faster; copyin.Worth is
// where both are.
func BenchmarkPaths(b *testing.B) {
	for _, size := range []int{10, 20, 50, 100, 200, 500, 1000} {
		for _, fresh := range []bool{true, false} {
			b.Run(fmt.Sprintf("new=%t/rows=%d", fresh, size), func(b *testing.B) {
				benchPaths(b, fresh, size)
			})
		}
	}
}

func benchPaths(b *testing.B, fresh bool, size int) {
	server := pgtest.New(b, "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
	w := newWorldAt(b, server.URL())
	feed := newFeed(b, w)
	for range 10_000 / size { // a table with something in it
		feed.next(b, size)
		must(b, w.store.Apply(b.Context(), feed.ahead, nil))
	}
	timed := func(path func(*batch, *pgx.Conn, *pgx.Batch, *write) error) time.Duration {
		feed.next(b, size)
		g, err := w.store.gather(b.Context(), feed.ahead)
		must(b, err)
		g.plan = g.newPlan()
		conn, err := w.pool.Acquire(b.Context())
		must(b, err)
		defer conn.Release()
		_, err = conn.Exec(b.Context(), "begin")
		must(b, err)
		if !fresh { // the rows are there, in an older version
			must(b, g.writeTogether(b.Context(), conn.Conn(), g.plan.writes))
			for _, it := range g.items {
				it.Event.Meta.Version.Order++
			}
			g.plan.writes[0].fresh = false
		}
		started := time.Now()
		send := &pgx.Batch{}
		must(b, path(g, conn.Conn(), send, &g.plan.writes[0]))
		if send.Len() > 0 {
			must(b, conn.SendBatch(b.Context(), send).Close())
		}
		took := time.Since(started)
		_, err = conn.Exec(b.Context(), "commit")
		must(b, err)
		return took
	}
	var arrays, copied time.Duration
	for b.Loop() {
		arrays += timed(func(g *batch, _ *pgx.Conn, send *pgx.Batch, w *write) error {
			g.queue(send, w, w.table.Upsert(), w.table.Args(events(w.items))...)
			return nil
		})
		copied += timed(func(g *batch, conn *pgx.Conn, send *pgx.Batch, w *write) error {
			return g.copy(b.Context(), conn, send, w)
		})
	}
	b.ReportMetric(arrays.Seconds()/copied.Seconds(), "ratio")
	b.ReportMetric(float64(copied.Microseconds())/float64(b.N), "COPY-us")
	b.ReportMetric(float64(arrays.Microseconds())/float64(b.N), "arrays-us")
}

// BenchmarkPoison compares batches of 1,000 rows of which some are refused with
// clean ones, in turns. The ratio is of time.
func BenchmarkPoison(b *testing.B) {
	for _, poison := range []int{1, 100} {
		b.Run(fmt.Sprintf("refused=%d", poison), func(b *testing.B) {
			server := pgtest.New(b, "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
			w := newWorldAt(b, server.URL())
			w.exec(b, "alter table webhooks.customer add constraint no_debts check (balance >= 0)")
			feed := newFeed(b, w)
			feed.next(b, 1000)
			var clean, poisoned time.Duration
			for b.Loop() {
				feed.refused = 1000 / poison // in the batch after this one
				batches := feed.next(b, 1000)
				started := time.Now()
				must(b, w.store.Apply(b.Context(), batches, nil))
				clean += time.Since(started)

				feed.refused = 0
				batches = feed.next(b, 1000)
				started = time.Now()
				must(b, w.store.Apply(b.Context(), batches, nil))
				poisoned += time.Since(started)
			}
			b.ReportMetric(poisoned.Seconds()/clean.Seconds(), "ratio")
			b.ReportMetric(1000*poisoned.Seconds()/float64(b.N), "ms/batch")
			if got := one[int](b, w, "select count(*) from webhooks.customer"); got != b.N*(2000-poison) {
				b.Errorf("%d rows, want %d", got, b.N*(2000-poison))
			}
		})
	}
}

func itemsOf(b *testing.B, prepared any) []*item {
	p, ok := prepared.(*batch)
	if !ok {
		b.Fatal("the batch was not prepared")
	}
	return p.items
}

// feed makes batches of new customers, one ahead of the one that is applied.
type feed struct {
	w     *world
	claim fenced.Claim
	made  int64
	ahead []fenced.Batch
	// refused is which customers of the batch that is made next have a debt: one in so many.
	refused int
	// mixed has every other customer of the last batch again.
	mixed bool
}

func newFeed(b testing.TB, w *world) *feed {
	p := kafka.Partition{Topic: w.kafka.Topics.Events("customer")}
	claims, err := w.store.TakeOver(b.Context(), []kafka.Partition{p})
	must(b, err)
	return &feed{w: w, claim: claims[p]}
}

// next returns the batch that was made ahead, and makes another.
func (f *feed) next(b testing.TB, size int) []fenced.Batch {
	b.Helper()
	ready := f.ahead
	batch := fenced.Batch{Partition: kafka.Partition{Topic: f.w.kafka.Topics.Events("customer")}, Claim: f.claim, Attempt: 1}
	for i := range size {
		ev := f.customer()
		if f.mixed && i%2 == 0 && f.made > int64(size) {
			ev.ID = f.id(f.made - int64(size) + 1) // which was new
		}
		if f.refused > 0 && i%f.refused == 0 {
			ev.SetField("balance", int64(-1))
		}
		r := f.w.record(b, ev)
		r.Offset = f.made - 1
		batch.Records = append(batch.Records, r)
	}
	f.claim.Next = batch.Next()
	f.ahead = []fenced.Batch{batch}
	return ready
}

// customer is an event of about 1 kB that fills most columns. Ids are in no
// order, as those of providers.
func (f *feed) customer() *event.Event {
	f.made++
	id := f.id(f.made)
	ev := newEvent("customer", id, "evt_"+id, f.made, map[string]any{
		"name": "Ada Example of " + id, "first_name": "Ada", "last_name": "Example", "email": id + "@example.com", "email_verified": true,
		"phone": "+41 44 668 18 00", "description": "A customer of the kind that a benchmark is made of.", "status": "active",
		"address_line1": "Example Street 12", "city": "Zurich", "postal_code": "8001", "country": "CH", "currency": "chf", "language": "de",
		"balance": f.made, "orders_count": int64(7), "total_spent": int64(123_456), "delinquent": false, "accepts_marketing": true,
		"tags": []string{"vip", "newsletter"}, "test": false, "created_at": start, "updated_at": start, "extra": map[string]string{"plan": "gold", "source": id},
	})
	ev.Meta.OccurredAt = time.Now() // on a day that has a partition
	return ev
}

// copies are items as the plain tables get them: with ids of rows that are new.
func (f *feed) copies(items []*item) []*item {
	out := make([]*item, len(items))
	for i, it := range items {
		c, ev := *it, *it.Event
		ev.ID = f.id(-f.made + int64(i))
		c.Event, c.Outcome = &ev, ledger.Applied
		out[i] = &c
	}
	return out
}

func (f *feed) id(n int64) string {
	return fmt.Sprintf("cus_%016x", uint64(n)*0x9e3779b97f4a7c15)
}

// plainCopy writes the rows and ledger rows of items by COPY, in a transaction
// like the sink's.
func plainCopy(ctx context.Context, pool *pgxpool.Pool, begin []string, items []*item) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	send := &pgx.Batch{}
	for _, sql := range begin {
		send.Queue(sql)
	}
	if err := conn.SendBatch(ctx, send).Close(); err != nil {
		return err
	}
	rows, err := items[0].table.Rows(events(items))
	if err != nil {
		return err
	}
	if err := rows.Send(ctx, conn.Conn().PgConn()); err != nil {
		return err
	}
	inLedger, err := ledger.Encode(entries(items), nil)
	if err != nil {
		return err
	}
	return inLedger.Commit(ctx, conn.Conn())
}
