// SPDX-License-Identifier: Apache-2.0

package traces

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	webhookTrace = "0a000000000000000000000000000001"
	batchTrace   = "0b000000000000000000000000000002"
)

// filled is a server with a webhook that failed and a batch that links to it.
func filled(t *testing.T) *Server {
	t.Helper()
	s := listen(t)
	failed := span(webhookTrace, "a000000000000002", "a000000000000001", "transform <b>process</b>", 3, 9, keyEventID, `evt_1"><script>alert(1)</script>`)
	failed.Err, failed.Message, failed.Service = true, "jq: <nothing>", "transform"
	batch := span(batchTrace, "b000000000000001", "", "process_batch", 2, 10, keyBatchSize, "2")
	batch.Links = []Link{{webhookTrace, "a000000000000001", nil}, {"0c000000000000000000000000000003", "c000000000000001", nil}}
	s.Add([]*Span{
		span(webhookTrace, "a000000000000001", "", "POST /webhooks/{provider}", 0, 5, keyProvider, "stripe", keyOutcome, "accepted"), failed, batch,
	})
	return s
}

func get(t *testing.T, s *Server, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, req)
}

func mustContain(t *testing.T, page string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("no %q in\n%s", w, page)
		}
	}
}

func TestList(t *testing.T) {
	s := filled(t)
	s.Point(Pointer{"metrics", "http://127.0.0.1:1/metrics"})
	_, page := get(t, s, "/")
	mustContain(t, page, `href="/trace/`+webhookTrace+`">stripe webhook</a>`, `<span class="badge bad">accepted</span> <b class="error">failed</b>`, "9.00 ms",
		`<i class="dot transform">`, `<option>stripe</option>`, `href="http://127.0.0.1:1/metrics"`, "1 trace.")
	_, page = get(t, s, "/?batches=1")
	mustContain(t, page, "process_batch", "2 traces.")
	_, page = get(t, s, "/?errors=1&batches=1&provider=stripe&q=evt_1&live=1")
	mustContain(t, page, "1 trace.", `<script src="/page/live.js" defer>`, `<noscript><meta http-equiv="refresh"`, `<option selected>stripe</option>`, " checked", `value="evt_1"`)
	if strings.Contains(page, batchTrace) {
		t.Error("the filter lets the batch through")
	}
	// All traces of the provider that was chosen have made room: it is still chosen.
	_, page = get(t, s, "/?provider=gone&outcome=gone+too")
	mustContain(t, page, `<option selected>gone</option>`, `<option selected>gone too</option>`, `<option>stripe</option>`)
	_, page = get(t, s, "/?q=absent")
	mustContain(t, page, "None of the 2 traces")
	_, page = get(t, listen(t), "/")
	mustContain(t, page, "No traces yet", "/v1/traces")
}

// TestCommandsAreSafeToPaste: senders choose the ids in them.
func TestCommandsAreSafeToPaste(t *testing.T) {
	s := listen(t)
	s.Tell(Tools{DeadLetter: "dlq show --brokers b:1", Journey: "hookstream trace --brokers b:1"})
	for id, want := range map[string]bool{
		"evt_1-a/orders/paid": true, "a b": false, "a;reboot": false, "$(reboot)": false, "a'b": false, "a\nb": false, "-o": false, "a\x1b[2J": false, "": false,
	} {
		got := s.commands(Summary{EventID: id})
		if has := slices.Equal(got, []string{"hookstream trace --brokers b:1 " + id}); has != want || !want && got != nil {
			t.Errorf("%q gives %q", id, got)
		}
	}
	trace := span(webhookTrace, "a", "", "process hookstream.raw", 0, 5, keyTopic, "hookstream.raw", keyPartition, "5", keyOffset, "16")
	trace.Service = "transform"
	s.Add([]*Span{trace, span(webhookTrace, "b", "a", "send hookstream.dlq", 1, 2, keyTopic, "hookstream.dlq")})
	_, page := get(t, s, "/trace/"+webhookTrace)
	mustContain(t, page, "dlq show --brokers b:1 transform:hookstream.raw/5/16\n", `<span class="badge bad">dead-letter</span>`)
}

func TestTracePage(t *testing.T) {
	s := filled(t)
	_, page := get(t, s, "/trace/"+strings.ToUpper(webhookTrace))
	mustContain(t, page, `id="a000000000000002" class="failed" open`, "jq: &lt;nothing&gt;", `<rect class="transform" x="33.33%" width="66.67%"`,
		"Linked traces", `href="/trace/`+batchTrace+`#b000000000000001"`)
	_, page = get(t, s, "/trace/"+batchTrace)
	mustContain(t, page, "Linked traces", `href="/trace/`+webhookTrace+`#a000000000000001"`, "1 that is not here")
	code, page := get(t, s, "/trace/ffffffffffffffffffffffffffffffff")
	if code != http.StatusNotFound {
		t.Errorf("a trace that is not there: %d", code)
	}
	mustContain(t, page, "Not here")
}

// TestPagesAreSafeAndSelfContained holds them to what the policy in their header
// lets a browser do.
func TestPagesAreSafeAndSelfContained(t *testing.T) {
	s := filled(t)
	forbidden := regexp.MustCompile(`(?i)<script|\sstyle=|<style|\son[a-z]+=|src=|(href|action)="(https?:)?//`)
	for _, path := range []string{"/", "/trace/" + webhookTrace, "/trace/" + batchTrace, "/trace/x", "/?q=%22%3E%3Cscript%3E"} {
		_, page := get(t, s, path)
		if found := forbidden.FindString(page); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
	for path, contentType := range map[string]string{"/page/style.css": "text/css", "/page/icon.svg": "image/svg+xml", "/": "text/html"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, contentType) || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, res.StatusCode, got)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 µs", 999 * time.Microsecond: "999 µs", 1234 * time.Microsecond: "1.23 ms", 45678 * time.Microsecond: "45.7 ms",
		345 * time.Millisecond: "345 ms", 1500 * time.Millisecond: "1.50 s", 125 * time.Second: "2m05s",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

// TestTimesAreUTC, as in the logs and in `hookstream trace`, wherever this runs.
func TestTimesAreUTC(t *testing.T) {
	s := listen(t)
	local := span(webhookTrace, "a000000000000001", "", "root", 0, 5)
	elsewhere := time.FixedZone("elsewhere", 5*60*60)
	local.Start, local.End = local.Start.In(elsewhere), local.End.In(elsewhere)
	s.Add([]*Span{local})
	for _, path := range []string{"/", "/trace/" + webhookTrace} {
		_, page := get(t, s, path)
		mustContain(t, page, epoch.UTC().Format("15:04:05.000"), epoch.UTC().Format("2006-01-02 15:04:05.000")+" UTC")
	}
}
