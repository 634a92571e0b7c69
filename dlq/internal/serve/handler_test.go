// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/dlq/internal/filter"
	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/stage/runtest"
)

// fake are operations that a test controls.
type fake struct {
	plan  *Plan
	err   error
	hold  chan struct{} // a list waits until it is closed
	query *Query
	found *Change
	logs  logged
	// panics makes planning panic once.
	panics bool
}

// logged is a log that is read while it is written to.
type logged struct{ runtest.Output }

func (l *logged) lines(part string) (found []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

func (f *fake) List(ctx context.Context, q *Query) (*Page, error) {
	f.query = q
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &Page{Items: []output.Letter{}}, f.err
}

func (f *fake) Show(context.Context, string, View) (json.RawMessage, error) {
	return json.RawMessage(`{}`), f.err
}

func (f *fake) Stats(context.Context, *filter.Filter, int) (json.RawMessage, error) {
	return json.RawMessage(`{}`), f.err
}
func (f *fake) Outcomes(context.Context, string) (map[string]int, error) { return nil, f.err }
func (f *fake) Simulate(context.Context, *Selection, Mending, int) (json.RawMessage, error) {
	return json.RawMessage(`{}`), f.err
}

func (f *fake) History(context.Context, *HistoryQuery) (json.RawMessage, error) {
	return json.RawMessage(`[]`), f.err
}

func (f *fake) Plan(_ context.Context, c *Change) (*Plan, error) {
	f.found = c
	if f.panics {
		f.panics = false
		panic("planning")
	}
	return f.plan, f.err
}

// api is a handler over a fake, and a server of it.
func api(t *testing.T, f *fake, change func(*handler)) (*handler, string) {
	t.Helper()
	var lines strings.Builder
	for _, s := range auth.Scopes() {
		fmt.Fprintf(&lines, "%s %x %s\n", s, sha256.Sum256([]byte(s)), s)
	}
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&f.logs, nil))
	tokens, err := auth.NewTokens(file, log)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMetrics()
	if err != nil {
		t.Fatal(err)
	}
	h := &handler{
		ops: f, callers: &auth.Authenticator{Tokens: tokens}, metrics: m, log: log, timeout: time.Minute,
		runner:   &runner{ctx: t.Context(), log: log, now: time.Now, byID: map[string]*operation{}},
		requests: make(chan struct{}, 1), streams: make(chan struct{}, 1),
		simulations: make(chan struct{}, 1), simulated: 1000,
	}
	if change != nil {
		change(h)
	}
	server := httptest.NewServer(newHandler(h))
	t.Cleanup(server.Close)
	return h, server.URL
}

// reply is an answer that has been read.
type reply struct {
	StatusCode int
	Status     string
	Header     http.Header
}

func send(t *testing.T, token, method, url, body string) (reply, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Status, res.Header}, string(data)
}

// TestWhoMayDoWhat is every route with every scope.
func TestWhoMayDoWhat(t *testing.T) {
	ended := &operation{cancel: func() {}, changed: make(chan struct{}), state: Operation{ID: "run", Action: "replayed", State: Done}}
	f := &fake{plan: &Plan{}}
	h, url := api(t, f, func(h *handler) {
		h.runner.remember(ended)
		now := time.Now()
		h.runner.now = func() time.Time { now = now.Add(time.Hour); return now } // wrong tokens are not throttled
	})
	body := `{"ids": ["sink:t/0/1"], "why": "w"}`
	for _, rt := range h.table() {
		path := strings.NewReplacer("{id...}", "sink:t/0/1", "{id}", "run").Replace(rt.Path)
		needs := rt.Scope
		if strings.HasSuffix(path, "/stop") {
			needs = auth.Replay // it is a replay that is stopped
		}
		sent := body
		if strings.HasSuffix(path, "/simulations") {
			sent = `{"all": true}`
		}
		for _, token := range append(auth.Scopes(), "", "unknown") {
			res, text := send(t, string(token), rt.Method, url+path, sent)
			allowed := res.StatusCode < 300
			switch {
			case token == needs && !allowed:
				t.Errorf("%s %s with %s: %s %s", rt.Method, path, token, res.Status, text)
			case token != needs && allowed:
				t.Errorf("%s %s with %q is allowed", rt.Method, path, token)
			}
			challenge := res.Header.Get("WWW-Authenticate")
			if (res.StatusCode == http.StatusUnauthorized) != (token == "" || token == "unknown") || (challenge != "") != (res.StatusCode == http.StatusUnauthorized) {
				t.Errorf("%s %s with %q: %s, challenge %q", rt.Method, path, token, res.Status, challenge)
			}
		}
	}
}

// TestSimulationsTakeTurns: each may take much memory.
func TestSimulationsTakeTurns(t *testing.T) {
	h, url := api(t, &fake{plan: &Plan{}}, nil)
	h.simulations <- struct{}{}
	for _, c := range []struct{ token, path, body string }{
		{"simulate", "/v1/simulations", `{"all": true}`}, {"replay", "/v1/replays", `{"all": true, "dry_run": true, "patch": "."}`},
	} {
		res, text := send(t, c.token, "POST", url+c.path, c.body)
		if res.StatusCode != 503 || !strings.Contains(text, "HOOKSTREAM_DLQ_MAX_SIMULATIONS") || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %s", c.path, res.Status, text)
		}
	}
	if res, text := send(t, "replay", "POST", url+"/v1/replays", `{"all": true, "dry_run": true}`); res.StatusCode != 200 {
		t.Errorf("without a patch: %s %s", res.Status, text)
	}
	<-h.simulations
	if res, text := send(t, "simulate", "POST", url+"/v1/simulations", `{"all": true}`); res.StatusCode != 200 {
		t.Errorf("a place is free: %s %s", res.Status, text)
	}
}

func TestWrongUseIsAProblem(t *testing.T) {
	_, url := api(t, &fake{plan: &Plan{}}, nil)
	for _, c := range []struct {
		token, method, path, body string
		status                    int
		detail                    string
	}{
		{"read", "GET", "/v1/dead-letters?reson=unmapped", "", 400, `there is no parameter \"reson\"`},
		{"read", "GET", "/v1/dead-letters?reason=unmaped", "", 400, `reason \"unmaped\": want one of`},
		{"read", "GET", "/v1/dead-letters?from_offset=5&to_offset=4", "", 400, "from_offset 5 to_offset 4"},
		{"read", "GET", "/v1/dead-letters?limit=1001", "", 400, "want a number from 1 to 1000"},
		{"read", "GET", "/v1/dead-letters?status=closed", "", 400, "want one of open, replayed"},
		{"read", "GET", "/v1/dead-letters?since=yesterday", "", 400, "is not a time"},
		{"read", "GET", "/v1/dead-letters?partition=x", "", 400, "want a number"},
		{"read", "GET", "/v1/dead-letters?limit=1&limit=2", "", 400, "limit is given twice"},
		{"read", "GET", "/v1/nothing", "", 404, "openapi-dlq.yaml"},
		{"read", "GET", "/v1/operations/none", "", 404, "remembers no operation"},
		{"read", "DELETE", "/v1/dead-letters", "", 405, "use GET or HEAD"},
		{"replay", "GET", "/v1/replays", "", 405, "use POST"},
		{"replay", "POST", "/v1/replays", `{}`, 400, "select dead letters by one of"},
		{"replay", "POST", "/v1/replays", `{"all": true, "ids": ["sink:t/0/1"]}`, 400, "select dead letters by one of"},
		{"replay", "POST", "/v1/replays", `{"filter": {}}`, 400, "select dead letters by one of"},
		{"replay", "POST", "/v1/replays", `{"filter": {"reson": "unmapped"}}`, 400, `there is no parameter \"reson\"`},
		{"replay", "POST", "/v1/replays", `{"filter": {"reason": {"a": 1}}}`, 400, "want text, a number, or a list"},
		{"replay", "POST", "/v1/replays", `{"filter": {"key": [` + strings.Repeat(`"k",`, 1000) + `"k"]}}`, 400, "1001 values, at most 1000"},
		{"replay", "POST", "/v1/replays", `{"all": true}`, 400, "at_most is missing"},
		{"replay", "POST", "/v1/replays", `{"all": true, "at_most": 1, "replay_id": "../x"}`, 400, "replay_id"},
		{"replay", "POST", "/v1/replays", `{"all": true, "atmost": 1}`, 400, "atmost"},
		{"replay", "POST", "/v1/replays", `{"ids": ["1"]}`, 400, "is not the ID of a dead letter"},
		{"replay", "POST", "/v1/replays", `{"ids": ["sink:t/0/1"]} {}`, 400, "more than one JSON value"},
		{"replay", "POST", "/v1/replays", `[`, 400, "not the JSON that is wanted"},
		{"replay", "POST", "/v1/replays?dry_run=true", `{"all": true, "at_most": 1}`, 400, `there is no parameter \"dry_run\"`},
		{"replay", "POST", "/v1/replays", `{"why": "` + strings.Repeat("x", maxBody) + `"}`, 413, "larger than 1024 KiB"},
		{"discard", "POST", "/v1/discards", `{"ids": ["sink:t/0/1"], "why": " "}`, 400, "why is empty"},
	} {
		res, text := send(t, c.token, c.method, url+c.path, c.body)
		if res.StatusCode != c.status || !strings.Contains(text, c.detail) || res.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s %.80s: %s %s, want %d with %s", c.method, c.path, c.body, res.Status, text, c.status, c.detail)
		}
	}
}

func TestFiltersMeanTheSameInQueriesAndBodies(t *testing.T) {
	f := &fake{plan: &Plan{}}
	_, url := api(t, f, nil)
	res, text := send(t, "read", "GET", url+"/v1/dead-letters?reason=unmapped&reason=too_large&partition=2&since=2026-03-01&key=a%26b", "")
	if res.StatusCode != http.StatusOK {
		t.Fatal(text)
	}
	res, text = send(t, "replay", "POST", url+"/v1/replays", `{"dry_run": true, "filter": {"reason": ["unmapped", "too_large"], "partition": 2, "since": "2026-03-01", "key": "a&b"}}`)
	if res.StatusCode != http.StatusOK {
		t.Fatal(text)
	}
	if got, want := fmt.Sprintf("%+v", f.found.Filter), fmt.Sprintf("%+v", f.query.Filter); got != want || !strings.Contains(want, "unmapped too_large") {
		t.Errorf("the body selects %s, the query %s", got, want)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	f := &fake{hold: make(chan struct{})}
	h, url := api(t, f, nil)
	first := make(chan int)
	go func() {
		res, _ := send(t, "read", "GET", url+"/v1/dead-letters", "")
		first <- res.StatusCode
	}()
	runtest.Eventually(t, "the first request is in hand", func() bool { return len(h.requests) == 1 })
	res, text := send(t, "read", "GET", url+"/v1/dead-letters", "")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(text, "HOOKSTREAM_DLQ_MAX_IN_FLIGHT") {
		t.Errorf("%s %s", res.Status, text)
	}
	close(f.hold)
	if code := <-first; code != http.StatusOK {
		t.Errorf("the first was answered %d", code)
	}
}

func TestARequestTakesNoLongerThanItMay(t *testing.T) {
	_, url := api(t, &fake{hold: make(chan struct{})}, func(h *handler) { h.timeout = time.Millisecond })
	res, text := send(t, "read", "GET", url+"/v1/dead-letters", "")
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, "HOOKSTREAM_DLQ_REQUEST_TIMEOUT") {
		t.Errorf("%s %s", res.Status, text)
	}
}

func TestWhatIsAwayIsSaid(t *testing.T) {
	_, url := api(t, &fake{err: errors.New("cannot reach Kafka at localhost:9092")}, nil)
	res, text := send(t, "read", "GET", url+"/v1/stats", "")
	if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, "cannot reach Kafka") {
		t.Errorf("%s %s", res.Status, text)
	}
}

// TestAFailedChangeSaysSo, and the next may begin.
func TestAFailedChangeSaysSo(t *testing.T) {
	fenced := errors.New("another operator took over")
	f := &fake{plan: &Plan{Outcome: output.Outcome{Planned: 2}, Run: func(_ context.Context, done func(int)) (int, error) {
		done(1)
		return 1, fenced
	}}}
	h, url := api(t, f, nil)
	for range 2 {
		res, text := send(t, "replay", "POST", url+"/v1/replays", `{"ids": ["sink:t/0/1"], "replay_id": "run"}`)
		if res.StatusCode != http.StatusAccepted {
			t.Fatal(res.Status, text)
		}
		h.runner.wg.Wait()
		_, text = send(t, "read", "GET", url+"/v1/operations/run", "")
		var o Operation
		if err := json.Unmarshal([]byte(text), &o); err != nil || o.State != Failed || o.Done != 1 || o.Error != fenced.Error() {
			t.Errorf("%s, %v", text, err)
		}
	}
	if got := len(h.runner.all()); got != 1 {
		t.Errorf("%d operations are remembered", got)
	}
}

// TestAPlanThatPanics leaves the API free for the next.
func TestAPlanThatPanics(t *testing.T) {
	f := &fake{plan: &Plan{}, panics: true}
	h, _ := api(t, f, nil)
	handler := newHandler(h)
	begin := func() int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/replays", strings.NewReader(`{"ids": ["sink:t/0/1"]}`))
		r.Header.Set("Authorization", "Bearer replay")
		w := httptest.NewRecorder()
		func() {
			defer func() { _ = recover() }() // as net/http does
			handler.ServeHTTP(deadlines{w}, r)
		}()
		return w.Code
	}
	begin()
	if f.panics {
		t.Fatal("nothing was planned")
	}
	if code := begin(); code != http.StatusOK {
		t.Errorf("the next is answered %d", code)
	}
}

// deadlines are those of a connection.
type deadlines struct{ *httptest.ResponseRecorder }

// SetReadDeadline does nothing.
func (deadlines) SetReadDeadline(time.Time) error { return nil }

// TestWhatIsRefusedIsAudited: who lacks a scope, for a stop too, and who is
// unknown.
func TestWhatIsRefusedIsAudited(t *testing.T) {
	f := &fake{plan: &Plan{}}
	running := &operation{cancel: func() {}, changed: make(chan struct{}), state: Operation{ID: "run", Action: "replayed", State: Running}}
	_, url := api(t, f, func(h *handler) { h.runner.remember(running) })
	send(t, "read", "POST", url+"/v1/operations/run/stop", "")
	send(t, "read", "POST", url+"/v1/replays", `{"all": true}`)
	for range 50 {
		send(t, "guessed", "POST", url+"/v1/replays", `{"all": true}`)
	}
	for _, part := range []string{
		`"audit":true,"by":"token/read","method":"POST","path":"/v1/operations/run/stop","scope":"replay"`,
		`"audit":true,"by":"token/read","method":"POST","path":"/v1/replays","scope":"replay"`,
	} {
		if got := f.logs.lines(part); len(got) != 1 {
			t.Errorf("%d lines with %s", len(got), part)
		}
	}
	if got := f.logs.lines(`"audit":true,"by":"","from":"127.0.0.1:`); len(got) == 0 || strings.Contains(got[0], "guessed") {
		t.Errorf("of strangers the log says %v", got)
	}
}

func TestStrangersDoNotFillTheLog(t *testing.T) {
	var s strangers
	now := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for i, want := range []struct {
		after time.Duration
		more  int
		ok    bool
	}{{0, 0, true}, {1, 0, false}, {2, 0, false}, {strangersEvery, 2, true}, {2 * strangersEvery, 0, true}} {
		if more, ok := s.turn(now.Add(want.after)); more != want.more || ok != want.ok {
			t.Errorf("the %d.: %d more, %v", i+1, more, ok)
		}
	}
}

func TestEndedOperationsAreForgotten(t *testing.T) {
	r := &runner{byID: map[string]*operation{}}
	for n := range remembered + 5 {
		r.remember(&operation{state: Operation{ID: fmt.Sprint(n)}})
	}
	if all := r.all(); len(all) != remembered || all[0].ID != fmt.Sprint(remembered+4) || r.get("4") != nil || r.get("5") == nil {
		t.Errorf("%d are remembered", len(all))
	}
}

func TestConfigIsChecked(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("alice "+strings.Repeat("0", 64)+" read\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Config{Address: ":0", TokensFile: tokens, MaxInFlight: 1, MaxSimulations: 1, MaxSimulated: 1, MaxStreams: 1, MaxIndexed: 1, RequestTimeout: time.Minute, OIDCClaim: "scope", OIDCSubject: "sub"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"nobody could call the API":                      func(c *Config) { c.TokensFile = "" },
		"OIDC_ISSUER is empty":                           func(c *Config) { c.OIDCAudience = "dlq" },
		"OIDC_AUDIENCE, HOOKSTREAM_DLQ_OIDC_SCOPE_CLAIM": func(c *Config) { c.OIDCIssuer, c.OIDCKeys = "https://id", "https://id/keys" },
		"OIDC_JWKS_URL must be an https URL":             func(c *Config) { c.OIDCIssuer, c.OIDCAudience, c.OIDCKeys = "https://id", "a", "http://id/k" },
		"x=write: want read, simulate": func(c *Config) {
			c.OIDCIssuer, c.OIDCAudience, c.OIDCKeys, c.OIDCScopes = "https://id", "a", "https://id/k", map[string]auth.Scope{"x": "write"}
		},
		"TLS_KEY_FILE go together":    func(c *Config) { c.TLSCert = "c" },
		"HOOKSTREAM_DLQ_MAX_IN_FLIGH": func(c *Config) { c.MaxInFlight = 0 },
		"REQUEST_TIMEOUT is 1ms":      func(c *Config) { c.RequestTimeout = time.Millisecond },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
