// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/stage/runtest"
)

// webhooks is how many raw records one event is looked for among.
const webhooks = 200_000

// BenchmarkTrace runs the program itself over 200,000 webhooks, as an operator
// does, and reports how long it takes and the most memory it held.
func BenchmarkTrace(b *testing.B) {
	w := newWorld(b)
	padding := bytes.Repeat([]byte(" "), benchPayload)
	for batch := range 20 {
		var records []*kgo.Record
		for i := range webhooks / 20 {
			d := delivery(fmt.Sprintf("evt_%d", batch*webhooks/20+i), batch)
			d.Body = padding
			records = append(records, d.Record(w.cfg.Topics.Raw))
		}
		w.produce(records...)
	}
	program := filepath.Join(b.TempDir(), "hookstream")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, "./cmd/hookstream").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	last := fmt.Sprintf("evt_%d", webhooks-1)
	for name, args := range map[string][]string{
		"everything": {last},
		"since":      {last, "--since", day.Add(19 * time.Minute).Format(time.RFC3339)},
		"key":        {"pi_" + last, "--by", "key", "--tenant", "default", "--provider", "stripe", "--partitions", fmt.Sprint(partitions)},
	} {
		runtest.Rounds(b, name, func(b *testing.B) {
			var took []time.Duration
			most := 0
			for b.Loop() {
				start := time.Now()
				most = max(most, residentPeak(b, exec.CommandContext(b.Context(), program, append(append([]string{"trace"}, args...), w.flags()...)...)))
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds(), "seconds")
			b.ReportMetric(float64(most)/1024, "MB-resident")
		})
	}
}
