// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hookstream/hookstream/sink/internal/pgtest"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/service"
)

// BenchmarkGrowth is the sink's rate, in batches of 1,000 new rows, as the table
// and the ledger grow: both have an index whose keys come in no order. With
// HOOKSTREAM_BENCH_FULL they grow to ten million rows, which takes 20 GB.
func BenchmarkGrowth(b *testing.B) {
	sizes := []int{10_000, 100_000, 1_000_000}
	switch {
	case testing.Short():
		sizes = sizes[:2]
	case os.Getenv("HOOKSTREAM_BENCH_FULL") != "":
		sizes = append(sizes, 10_000_000)
	}
	service.RaiseHeapFloor()
	server := pgtest.New(b, "fsync=on", "shared_buffers=256MB", "max_wal_size=4GB")
	w := newWorldAt(b, server.URL())
	feed := newFeed(b, w)
	feed.next(b, 1000)
	applyNext := func() { must(b, w.store.Apply(b.Context(), feed.next(b, 1000), nil)) }
	for range 10 {
		applyNext()
	}
	for _, size := range sizes {
		growTo(b, w, size)
		runtest.Rounds(b, fmt.Sprintf("there=%d", size), func(b *testing.B) {
			var took time.Duration
			for b.Loop() {
				batches := feed.next(b, 1000)
				started := time.Now()
				must(b, w.store.Apply(b.Context(), batches, nil))
				took += time.Since(started)
			}
			b.ReportMetric(float64(b.N)*1000/took.Seconds(), "rows/s")
		})
	}
}

// growTo copies what is in the table and the ledger, under other keys, until there
// are so many rows.
func growTo(b *testing.B, w *world, size int) {
	b.Helper()
	there := one[int](b, w, "select count(*) from webhooks.customer")
	for there < size {
		more := min(there, size-there)
		copyRows(b, w, "webhooks", "customer", "id", "id || '-' || md5(random()::text)", more)
		copyRows(b, w, "hookstream", "ledger", "fingerprint", "decode(md5(random()::text), 'hex')", more)
		there += more
	}
	w.exec(b, "analyze")
	w.exec(b, "checkpoint") // what was written so far is not to be paid for by what follows
}

// copyRows adds n rows that have another value in one column.
func copyRows(b *testing.B, w *world, schema, table, column, value string, n int) {
	b.Helper()
	const list = "select string_agg(case when column_name = $3 then $4 else quote_ident(column_name) end, ', ' order by ordinal_position) from information_schema.columns where table_schema = $1 and table_name = $2"
	var columns, values string
	must(b, w.pool.QueryRow(b.Context(), list, schema, table, column, column).Scan(&columns))
	must(b, w.pool.QueryRow(b.Context(), list, schema, table, column, value).Scan(&values))
	w.exec(b, fmt.Sprintf("insert into %[1]s.%[2]s (%[3]s) select %[4]s from %[1]s.%[2]s limit %[5]d", schema, table, columns, values, n))
}
