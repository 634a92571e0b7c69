// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dev/internal/bench/plot"
)

// TestMain lets the test's program be the servers that a benchmark starts.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "bench-server" {
		os.Exit(m.Run())
	}
	var o ServerOptions
	if len(os.Args) > 4 && os.Args[3] == "--brokers" {
		o.Brokers = []string{os.Args[4]}
	}
	if err := Serve(context.Background(), os.Args[2], o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestEdge runs the benchmark as it is, in short: what it measures depends on
// the machine, that it measures does not.
func TestEdge(t *testing.T) {
	results, err := Start(t.Context(), Options{Only: []string{"edge"}, Rounds: 3, Passes: 2, Turn: 200 * time.Millisecond, Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].Machine == "" {
		t.Fatalf("got %v", results)
	}
	limits := 0
	for _, m := range results[0].Measures {
		if len(m.Baseline) != 3 || len(m.Subject) != 3 || slices.Min(m.Subject) <= 0 {
			t.Errorf("%s: %v and %v", m.Name, m.Baseline, m.Subject)
		}
		if m.Limit != nil {
			limits++
		}
	}
	if limits != 2 {
		t.Errorf("%d measures have a limit, want the rate and the p99", limits)
	}
}

func TestOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"--rounds": {Rounds: 0, Passes: 1},
		"--passes": {Rounds: 1, Passes: 0},
		"edge":     {Rounds: 1, Passes: 1, Only: []string{"egde"}},
	} {
		if _, err := Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", o, err, want)
		}
	}
}

// TestPasses: all benchmarks are gone through again and again, and one that fails
// does not take the others with it.
func TestPasses(t *testing.T) {
	var order []string
	counting := func(name string, failing int) Benchmark {
		return Benchmark{Name: name, pass: func(_ context.Context, r *Run) error {
			m := r.measure(absolute("m", "", nil))
			for range r.Rounds {
				m.take(1)
			}
			if order = append(order, fmt.Sprint(name, r.Rounds)); len(m.Subject) > failing {
				return errors.New("no more")
			}
			return nil
		}}
	}
	t.Cleanup(func(all []Benchmark) func() { return func() { All = all } }(All))
	All = []Benchmark{counting("a", 100), counting("b", 4), counting("c", 100)}
	All[2].times = 2
	got, err := Start(t.Context(), Options{Rounds: 7, Passes: 3, Progress: t.Output()})
	if err == nil || err.Error() != "benchmark b: no more" {
		t.Errorf("got %v", err)
	}
	if want := "a2 b2 c4 a2 b2 c5 a3 b3 c5"; strings.Join(order, " ") != want {
		t.Errorf("ran %v, want %s", order, want)
	}
	if len(got) != 2 || got[1].Name != "c" || len(got[1].Measures[0].Subject) != 14 || got[1].Rounds != 14 || got[1].Passes != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestServersThatDoNotStart(t *testing.T) {
	r := &Run{Options: Options{Progress: t.Output()}}
	if _, err := r.spawn(t.Context(), "nonesuch"); err == nil || !strings.Contains(err.Error(), "nonesuch") {
		t.Errorf("got %v", err)
	}
}

func TestWebhooks(t *testing.T) {
	body := paymentIntent(12, time.Unix(1767268800, 0))
	var e struct {
		ID   string
		Data struct{ Object struct{ ID string } }
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatal(err)
	}
	if len(body) != bodyBytes || e.ID != "evt_bench0000012" || e.Data.Object.ID != "pi_bench0000012" {
		t.Errorf("%d bytes, id %q of %q", len(body), e.ID, e.Data.Object.ID)
	}
	requests, err := signed(t.Context(), "127.0.0.1:1", 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"POST /webhooks/stripe HTTP/1.1\r\n", "\r\nStripe-Signature: t=", "\r\nContent-Length: 2048\r\n"} {
		if !strings.Contains(string(requests[2]), want) {
			t.Errorf("a request lacks %q", want)
		}
	}
}

func TestSave(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "results.json")
	for _, r := range []Result{{Name: "a", Rounds: 1}, {Name: "b", Rounds: 2}, {Name: "a", Rounds: 3}} {
		if err := Save(path, []Result{r}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []Result
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1].Name != "b" || got[0].Rounds != 3 {
		t.Errorf("got %+v", got)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Save(path, got); err == nil {
		t.Error("a file of something else was overwritten")
	}
}

func results() []Result {
	chart := plot.Chart{Name: "c", Title: "A chart", Lines: []plot.Line{{Name: "new", Points: []plot.Point{{X: 1, Y: 2}}}}}
	r := &Run{Options: Options{Rounds: 2, Passes: 2, Turn: time.Second}, benchmark: Benchmark{
		Name: "n", Title: "t", Baseline: "old", Subject: "new",
		charts: func(*Run) []plot.Chart { return []plot.Chart{chart} },
	}}
	for _, m := range []Measure{
		{Name: "rate of a name that is much longer than its column", Unit: "/s", By: Ratio, Baseline: []float64{1000, 1000}, Subject: []float64{500, 400}, Limit: atLeast(.6)},
		{Name: "p99", Unit: "ms", By: Difference, Baseline: []float64{1}, Subject: []float64{3.5}, Limit: atMost(5)},
		{Name: "memory", Unit: "bytes", By: Absolute, Subject: []float64{29}, Limit: atMost(30)},
	} {
		r.measure(m)
	}
	return []Result{newResult(r)}
}

func TestTable(t *testing.T) {
	list := results()
	var b strings.Builder
	if err := WriteTable(&b, list); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"MISS     0.45× 0.40× to 0.50×", "≥ 0.60×", "ok       +2.50", "≤ +5.00", "old", "new", "≤ 30", "2 of 3 goals"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, &b)
		}
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(line)); n > 111 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if list[0].OK {
		t.Error("a missed limit is OK")
	}
}

func TestReport(t *testing.T) {
	document := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(document, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Report(document, results(), nil); err == nil || !strings.Contains(err.Error(), "no lines") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(document, []byte("before\n"+reportMarks.begin+"\nold\n"+reportMarks.end+"\nafter\n"+kafkaMarks.begin+kafkaMarks.end), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second changes nothing
		if err := Report(document, results(), results()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n<!--", "-->\nafter\n", "| 0.45× | 0.40× to 0.50× | ≥ 0.60× **missed** |", "![A chart](performance/c.svg)", "| n | p99 | +2.50 ms | ≤ +5.00 reached |", "| 29.0 | once |", "name that is much longer than its column | 0.45× | 0.40× to 0.50× | old |"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q is not in it once:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old\n<!--") {
		t.Error("the old results are still there")
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(document), "performance", "c.svg")); err != nil {
		t.Error(err)
	}
}

func TestServeEndsWithItsInput(t *testing.T) {
	var out strings.Builder
	if err := Serve(t.Context(), "bare", ServerOptions{ProfileDir: t.TempDir()}, strings.NewReader("\n\n"), io.Writer(&out)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("wrote %d lines, want the address and two usages: %s", n, &out)
	}
}
