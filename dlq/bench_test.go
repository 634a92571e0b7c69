// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// benchLetters is how many dead letters one round replays.
const benchLetters = 50_000

// benchPayload is the size of a common webhook.
const benchPayload = 1 << 10

// BenchmarkReplay replays dead letters, and produces the same records in plain
// transactions of the same size. Both take turns in one run; the ratio is of
// their throughputs, and the goal is 0.5. A replay also reads the dead letters
// and writes as many resolutions.
func BenchmarkReplay(b *testing.B) {
	var ratios []float64
	for b.Loop() {
		w := newWorld(b)
		w.fill(benchLetters)
		j := w.job()
		j.BatchSize = defaultBatch
		p := w.plan(j)
		start := time.Now()
		if n, err := j.Run(b.Context(), p); n != benchLetters || err != nil {
			b.Fatal(n, err)
		}
		replay := time.Since(start)
		plain := w.plain(w.read(w.cfg.Topics.Raw))
		ratios = append(ratios, plain.Seconds()/replay.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(benchLetters*float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}

// fill writes n dead letters of a common size.
func (w *world) fill(n int) {
	w.Helper()
	var records []*kgo.Record
	for i := range n {
		d := w.letter(i)
		d.Value = append(d.Value, bytes.Repeat([]byte(" "), benchPayload-len(d.Value))...)
		records = append(records, d.Record(w.cfg.Topics.DeadLetters))
	}
	w.produce(records...)
}

// plain is how long it takes to produce the records in transactions.
func (w *world) plain(records []*kgo.Record) time.Duration {
	w.Helper()
	client, err := w.cfg.NewClient("plain", slog.New(slog.DiscardHandler), kgo.TransactionalID("plain"))
	if err != nil {
		w.Fatal(err)
	}
	defer client.Close()
	for i, r := range records {
		records[i] = &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
	}
	start := time.Now()
	for batch := range slices.Chunk(records, defaultBatch) {
		if err := client.BeginTransaction(); err != nil {
			w.Fatal(err)
		}
		if err := client.ProduceSync(w.Context(), batch...).FirstErr(); err != nil {
			w.Fatal(err)
		}
		if err := client.EndTransaction(w.Context(), kgo.TryCommit); err != nil {
			w.Fatal(err)
		}
	}
	return time.Since(start)
}

// BenchmarkList reads every dead letter and prints none.
func BenchmarkList(b *testing.B) {
	w := newWorld(b)
	w.fill(benchLetters)
	b.ResetTimer()
	for b.Loop() {
		w.dlq("list", "--event-id", "nothing").want(b, exitOK)
	}
	b.ReportMetric(benchLetters*float64(b.N)/b.Elapsed().Seconds(), "letters/s")
}
