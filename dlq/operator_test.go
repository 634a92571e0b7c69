// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/console"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/stage/runtest"
)

// program builds dlq, for what ends or outlives a process.
func program(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "dlq")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./cmd/dlq").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

// resolved reports whether anything was done.
func (w *world) resolved() bool { return len(w.read(w.cfg.Topics.Resolutions)) > 0 }

// TestASignalEndsAReplay after the transactions in hand, and the command that it
// names goes on.
func TestASignalEndsAReplay(t *testing.T) {
	w := newWorld(t)
	const n = 10
	w.many(n)
	cmd := exec.CommandContext(t.Context(), program(t), append([]string{"replay", "--all", "--yes", "--rate", fmt.Sprint(slow)}, w.flags()...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	runtest.Eventually(t, "the replay has begun", w.resolved)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &ended) || ended.ExitCode() != exitFailed {
		t.Fatalf("ended with %v: %s", err, errs.String())
	}
	named := regexp.MustCompile(`the same command with --replay-id (\S+)`).FindStringSubmatch(errs.String())
	if named == nil || !strings.Contains(errs.String(), "interrupted; what is done stays done") {
		t.Fatalf("it says %s", errs.String())
	}
	w.dlq("history").want(t, exitOK, "in part, ", "of 10 planned")
	if done := len(w.read(w.cfg.Topics.Resolutions)); done == 0 || done == n || !strings.Contains(out.String(), fmt.Sprintf("%d of %d replayed", done, n)) {
		t.Errorf("%d are done: %s", done, out.String())
	}
	w.dlq("replay", "--all", "--yes", "--replay-id", named[1]).want(t, exitOK)
	if r := w.dlq("history").want(t, exitOK, "done, all that was planned"); strings.Contains(r.out, "in part") {
		t.Errorf("the history has\n%s", r.out)
	}
	w.eachOnce(n)
	if got := w.ids("--run", named[1]); len(got) != n {
		t.Errorf("%d were sent as %s", len(got), named[1])
	}
}

// TestAReplayKeepsItsRate, and tells a person how far it is and how long the
// rest takes.
func TestAReplayKeepsItsRate(t *testing.T) {
	w := newWorld(t)
	const n = 5
	w.many(n)
	begun := time.Now()
	r := w.with(&console.Console{In: strings.NewReader(""), ErrTerminal: true}, "replay", "--all", "--yes", "--rate", "1").want(t, exitOK, "5 of 5 replayed")
	if took := time.Since(begun); took < (n-1)*time.Second {
		t.Errorf("%d at one a second took %s", n, took)
	}
	if !regexp.MustCompile(`\r\x1b\[K\d of 5 replayed, \d+ a second, \d+s left`).MatchString(r.err) || !strings.HasSuffix(r.err, "\r\x1b[K") {
		t.Errorf("the progress is %q", r.err)
	}
	w.dlq("replay", "--all", "--rate=-1").want(t, exitUsage, "--rate -1: must not be negative")
}

// TestASecondOperatorEndsTheFirst, who is told so.
func TestASecondOperatorEndsTheFirst(t *testing.T) {
	w := newWorld(t)
	const n = 60
	w.many(n)
	first := make(chan result, 1)
	go func() { first <- w.dlq("replay", "--all", "--yes", "--rate", "1", "--replay-id", "first") }()
	runtest.Eventually(t, "the first has begun", w.resolved)
	w.dlq("replay", "--all", "--yes").want(t, exitOK)
	lost := (<-first).want(t, exitFailed, "another operator works on the same dead letters and took over", "nothing was sent twice", "--replay-id first")
	if strings.Contains(lost.err, "level=") || strings.Contains(lost.err, "PRODUCER") || strings.Count(lost.err, "\n") != 2 {
		t.Errorf("it is told in other words than ours:\n%s", lost.err)
	}
	w.eachOnce(n)
}

// TestServeMeasuresWhatIsOpen by its reason, for Prometheus.
func TestServeMeasuresWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	other := w.letter(3)
	other.Reason = reason.MalformedBody
	w.write(w.letter(1), w.letter(2), other)
	admin := nobodyAt(t)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "ann %x read\n", sha256.Sum256([]byte("t"))), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program(t), append([]string{
		"serve", "--address", "127.0.0.1:0", "--admin-address", admin, "--tokens-file", tokens,
	}, w.flags()...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		_ = cmd.Wait() // it was killed
	}()
	measured := func(line string) func() bool {
		return func() bool { return regexp.MustCompile(`(?m)^` + line).MatchString(scrape(t, admin)) }
	}
	runtest.Eventually(t, "what is open is measured", measured(`hookstream_dlq_open\{reason="mapping_failed",stage="transform"\} 2$`))
	runtest.Eventually(t, "by its reason", measured(`hookstream_dlq_open\{reason="malformed_body",stage="transform"\} 1$`))
	runtest.Eventually(t, "with the age of the oldest", measured(`hookstream_dlq_oldest_age_seconds\{reason="mapping_failed",stage="transform"\} [1-9]`))
	w.dlq("discard", "--all", "--why", "noise", "--yes").want(t, exitOK)
	runtest.Eventually(t, "nothing is open", measured(`hookstream_dlq_open\{reason="mapping_failed",stage="transform"\} 0$`))
	runtest.Eventually(t, "and so has no age", measured(`hookstream_dlq_oldest_age_seconds\{reason="mapping_failed",stage="transform"\} 0$`))
}

// nobodyAt is an address that nobody listens on.
func nobodyAt(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// scrape is what /metrics says, or "" while nobody answers.
func scrape(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return string(text)
}
