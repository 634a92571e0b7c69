// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/metricstest"
)

func serve(t *testing.T, h *Health) *Server {
	t.Helper()
	return started(t)(Listen(t.Context(), "127.0.0.1:0", h, slog.New(slog.DiscardHandler)))
}

// started serves s until the test ends.
func started(t *testing.T) func(*Server, error) *Server {
	return func(s *Server, err error) *Server {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		run(t, s)
		return s
	}
}

func run(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func get(t *testing.T, s *Server, method, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestEndpoints(t *testing.T) {
	h := NewHealth("test", "kafka", "database")
	s := serve(t, h)
	if code, body := get(t, s, http.MethodGet, "/livez"); code != http.StatusOK || !strings.Contains(body, `"live":true`) {
		t.Errorf("/livez: %d %s", code, body)
	}
	if code, body := get(t, s, http.MethodGet, "/readyz"); code != http.StatusServiceUnavailable || strings.Count(body, "starting") != 2 {
		t.Errorf("/readyz at start: %d %s", code, body)
	}
	h.Set("kafka", true, "")
	h.Set("database", false, "connection refused")
	if code, body := get(t, s, http.MethodGet, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "connection refused") {
		t.Errorf("/readyz with one part away: %d %s", code, body)
	}
	h.Reporter("database")(true, "")
	code, body := get(t, s, http.MethodGet, "/readyz")
	var state struct {
		Ready bool
		Parts map[string]Status
	}
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		t.Fatal(err)
	}
	if code != http.StatusOK || !state.Ready || len(state.Parts) != 2 || !state.Parts["kafka"].Ready {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code, body := get(t, s, http.MethodGet, "/metrics"); code != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("/metrics: %d %.200s", code, body)
	}
	if code, _ := get(t, s, http.MethodPost, "/livez"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST /livez: %d", code)
	}
	if code, _ := get(t, s, http.MethodGet, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("GET /debug/pprof/: %d", code)
	}
}

// TestReadinessIsMeasured reads the gauge as Prometheus would, at each change and
// after the server's end.
func TestReadinessIsMeasured(t *testing.T) {
	metrics := metricstest.Record(t)
	h := NewHealth("sink", "kafka", "database")
	s, err := Listen(t.Context(), "127.0.0.1:0", h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := func(want map[string]int64) {
		t.Helper()
		if got := metrics.Values("hookstream.ready", "service", "part"); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	want(map[string]int64{"sink kafka": 0, "sink database": 0})
	h.Set("kafka", true, "")
	want(map[string]int64{"sink kafka": 1, "sink database": 0})
	h.Set("kafka", false, "away")
	want(map[string]int64{"sink kafka": 0, "sink database": 0})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Fatal(err)
	}
	want(map[string]int64{})
}

func TestSinceIsTheLastChange(t *testing.T) {
	h := NewHealth("test", "kafka")
	since := func() Status {
		_, parts := h.Ready()
		return parts["kafka"]
	}
	h.Set("kafka", false, "away")
	first := since()
	h.Set("kafka", false, "away")
	if since() != first {
		t.Error("saying the same again moved the time")
	}
	h.Set("kafka", true, "")
	if now := since(); !now.Ready || now.Since.Before(first.Since) {
		t.Errorf("got %+v after %+v", now, first)
	}
	_, parts := h.Ready()
	parts["kafka"] = Status{}
	if !since().Ready {
		t.Error("a caller changed the state through its copy")
	}
}

func TestPortInUseIsFatalAndNamesTheVariable(t *testing.T) {
	s := serve(t, NewHealth("test"))
	_, err := Listen(t.Context(), s.Address(), NewHealth("test"), slog.New(slog.DiscardHandler))
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "HOOKSTREAM_ADMIN_ADDRESS") || !strings.Contains(err.Error(), s.Address()) {
		t.Errorf("got %v", err)
	}
}

func TestNoAddressIsNoServer(t *testing.T) {
	s, err := Listen(t.Context(), "", NewHealth("test"), slog.New(slog.DiscardHandler))
	if err != nil || s.Address() != "" {
		t.Fatalf("got %q, %v", s.Address(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Error(err)
	}
}

func TestPprofIsAServerOfItsOwn(t *testing.T) {
	s := started(t)(ListenPprof(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler)))
	if code, body := get(t, s, http.MethodGet, "/debug/pprof/goroutine?debug=1"); code != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("goroutines: %d %.200s", code, body)
	}
	if code, body := get(t, s, http.MethodGet, "/debug/pprof/heap"); code != http.StatusOK || body == "" {
		t.Errorf("heap: %d", code)
	}
	// Flags may hold passwords, and the other endpoints have a listener.
	for _, path := range []string{"/debug/pprof/cmdline", "/metrics", "/livez"} {
		if code, _ := get(t, s, http.MethodGet, path); code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, code)
		}
	}
	_, err := ListenPprof(t.Context(), s.Address(), slog.New(slog.DiscardHandler))
	if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), "HOOKSTREAM_PPROF_ADDRESS") {
		t.Errorf("a port in use: %v", err)
	}
	if off, err := ListenPprof(t.Context(), "", slog.New(slog.DiscardHandler)); off != nil || err != nil {
		t.Errorf("without an address: %v, %v", off, err)
	}
}
