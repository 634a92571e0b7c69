// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/runtest"
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
	var replays time.Duration
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
		replays += replay
		plain := w.plain(w.read(w.cfg.Topics.Raw))
		ratios = append(ratios, plain.Seconds()/replay.Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(benchLetters*float64(b.N)/replays.Seconds(), "letters/s")
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

// backlog is how many dead letters an operator is to find their way through in
// seconds.
const backlog = 100_000

// BenchmarkBacklog runs the program itself over 100,000 dead letters, as an
// operator does, and reports how long it takes and the most memory it held.
func BenchmarkBacklog(b *testing.B) {
	w := newWorld(b)
	w.fill(backlog)
	program := build(b)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"stats", []string{"stats"}},
		{"list", []string{"list", "--key", "pi_3"}},
		{"list-all", []string{"list", "--limit", "0"}},
	} {
		runtest.Rounds(b, c.name, func(b *testing.B) {
			var took []time.Duration
			most := 0
			for b.Loop() {
				start := time.Now()
				most = max(most, residentPeak(b, exec.CommandContext(b.Context(), program, append(c.args, w.flags()...)...)))
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds(), "seconds")
			b.ReportMetric(float64(most)/1024, "MB-resident")
		})
	}
}

// residentPeak runs a command and returns the most memory that it held, in KiB,
// as Linux tells until it ends. The usage that wait gives would not do: it begins
// with what this process held when it forked.
func residentPeak(b *testing.B, cmd *exec.Cmd) (most int) {
	b.Helper()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for tick := time.Tick(10 * time.Millisecond); ; {
		select {
		case err := <-ended:
			if err != nil || most == 0 {
				b.Fatalf("%s: %v, resident %d", cmd, err, most)
			}
			return most
		case <-tick:
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)) // gone when it has ended
			if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
				_, _ = fmt.Sscan(after, &most)
			}
		}
	}
}

// build compiles the program.
func build(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "dlq")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "./cmd/dlq").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}
