// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// bodies keeps what a handler read.
type bodies struct {
	mu   sync.Mutex
	list []string
}

func (b *bodies) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, _ := io.ReadAll(r.Body) // cut off at the end of the test
	b.mu.Lock()
	b.list = append(b.list, string(data))
	b.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func connect(t *testing.T, handler http.Handler, n int) []*conn {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	conns, err := dial(t.Context(), s.Listener.Addr().String(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(conns) })
	return conns
}

var twoRequests = [][]byte{
	[]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"),
	[]byte("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo"),
}

func TestClosedLoop(t *testing.T) {
	var got bodies
	l, err := closedLoop(t.Context(), connect(t, &got, 3), twoRequests, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if l.requests != len(got.list) || l.requests != len(l.latencies) || l.requests < 6 {
		t.Errorf("counted %d requests with %d latencies, %d arrived", l.requests, len(l.latencies), len(got.list))
	}
	if !slices.IsSorted(l.latencies) || l.rate() <= 0 {
		t.Errorf("rate %v", l.rate())
	}
	if !slices.Contains(got.list, "one") || !slices.Contains(got.list, "two") {
		t.Error("not every request was sent")
	}
}

// TestOpenLoopCountsWaiting: a server that stalls once delays what was due
// meanwhile, and that must show.
func TestOpenLoopCountsWaiting(t *testing.T) {
	const stall = 300 * time.Millisecond
	var once sync.Once
	var got bodies
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { time.Sleep(stall) })
		got.ServeHTTP(w, r)
	})
	l, err := openLoop(t.Context(), connect(t, handler, 1), twoRequests, 100, 600*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if l.requests != 59 { // however late they are
		t.Errorf("%d requests, want those of 600 ms at 100/s", l.requests)
	}
	// Every request that was due in the stall waited for what was left of it.
	if late := quantile(l.latencies, .75); late < stall/3 {
		t.Errorf("the third quartile is %s although a third of the time was a stall", late)
	}
}

func TestAnswersThatEndATurn(t *testing.T) {
	cases := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"status":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", http.StatusServiceUnavailable) }, "want 202"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202); _, _ = w.Write(make([]byte, 1<<20)) }, "Content-Length"},
		"long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.WriteHeader(202)
			_, _ = w.Write(make([]byte, 5000))
		}, "longer than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := closedLoop(t.Context(), connect(t, c.answer, 2), twoRequests, time.Minute)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTurnsEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stuck := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	})
	if _, err := closedLoop(ctx, connect(t, stuck, 2), twoRequests, time.Minute); err == nil {
		t.Error("the turn ended without an error")
	}
	if _, err := openLoop(ctx, connect(t, stuck, 2), twoRequests, 0.01, time.Hour); err == nil {
		t.Error("the turn ended without an error")
	}
}

func TestComplete(t *testing.T) {
	const answer = "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello"
	for n := range len(answer) {
		if done, err := complete([]byte(answer[:n])); done || err != nil {
			t.Fatalf("complete after %d bytes: %v", n, err)
		}
	}
	if done, err := complete([]byte(answer)); !done || err != nil {
		t.Errorf("not complete: %v", err)
	}
	if _, err := complete([]byte(answer + "x")); err == nil {
		t.Error("more than an answer is none")
	}
}
