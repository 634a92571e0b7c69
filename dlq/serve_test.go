// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/output"
	"github.com/hookstream/hookstream/dlq/internal/serve"
	"github.com/hookstream/hookstream/schemas/reason"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/stage/runtest"
	"github.com/hookstream/hookstream/stage/service"
)

// apiWorld is a world with the service mode running.
type apiWorld struct {
	*world
	svc  *Service
	base string
	// client is nil for the default one, token empty for that of the scopes.
	client *http.Client
	token  string
	logs   *runtest.Output
	stop   func()
}

// tokens are callers by what they may.
var tokens = []string{"read", "simulate", "replay", "discard", "read,simulate,replay,discard"}

func serveConfig(w *world) ServiceConfig {
	w.Helper()
	var lines strings.Builder
	for _, scopes := range tokens {
		fmt.Fprintf(&lines, "may-%s %x %s\n", strings.ReplaceAll(scopes, ",", "-"), sha256.Sum256([]byte("token-"+scopes)), scopes)
	}
	file := filepath.Join(w.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		w.Fatal(err)
	}
	return ServiceConfig{
		Common: service.Common{AdminAddress: "127.0.0.1:0", DrainTimeout: 20 * time.Second}, Kafka: w.cfg,
		API: serve.Config{Address: "127.0.0.1:0", TokensFile: file, MaxInFlight: 8, MaxSimulations: 1, MaxSimulated: 1000, MaxStreams: 8, RequestTimeout: time.Minute, MaxIndexed: 1000},
	}
}

func newAPI(t *testing.T) *apiWorld {
	t.Helper()
	w := newStoppedAPI(t)
	w.start()
	return w
}

func newStoppedAPI(t *testing.T) *apiWorld {
	t.Helper()
	return &apiWorld{world: newWorld(t), logs: &runtest.Output{}}
}

// start runs a new instance, which ends with the test.
func (w *apiWorld) start() { w.Helper(); w.startWith(serveConfig(w.world)) }

func (w *apiWorld) startWith(cfg ServiceConfig) {
	w.Helper()
	var err error
	if w.svc, err = New(cfg, slog.New(slog.NewJSONHandler(w.logs, nil))); err != nil {
		w.Fatal(err)
	}
	w.base = "http://" + w.svc.Address()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.svc.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
	w.Cleanup(w.stop)
}

type reply struct {
	request, status string
	code            int
	header          http.Header
	body            []byte
}

// call sends a request with the token of these scopes; body nil sends none.
func (w *apiWorld) call(scopes, method, path string, body any) reply {
	w.Helper()
	var r io.Reader
	if text, ok := body.(string); ok {
		r = strings.NewReader(text)
	} else if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			w.Fatal(err)
		}
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(w.Context(), method, w.base+path, r)
	if err != nil {
		w.Fatal(err)
	}
	res := w.send(req, scopes)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.Fatal(err)
	}
	return reply{method + " " + path, res.Status, res.StatusCode, res.Header, data}
}

// send sends the request as a caller with these scopes.
func (w *apiWorld) send(req *http.Request, scopes string) *http.Response {
	w.Helper()
	switch {
	case w.token != "":
		req.Header.Set("Authorization", "Bearer "+w.token)
	case scopes != "":
		req.Header.Set("Authorization", "Bearer token-"+scopes)
	}
	res, err := cmp.Or(w.client, http.DefaultClient).Do(req)
	if err != nil {
		w.Fatal(err)
	}
	return res
}

const everything = "read,simulate,replay,discard"

// want checks the status and reads the body.
func want[T any](t testing.TB, r reply, status int) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(r.body, &v); err != nil || r.code != status {
		t.Fatalf("%s: %s, want %d: %s", r.request, r.status, status, r.body)
	}
	return v
}

type object = map[string]any

func (w *apiWorld) list(query string) serve.Page {
	w.Helper()
	return want[serve.Page](w, w.call("read", "GET", "/v1/dead-letters?"+query, nil), 200)
}

// follow reads an operation's stream to its end.
func (w *apiWorld) follow(id string) []serve.Operation {
	w.Helper()
	return w.events(w.stream(id))
}

// stream opens an operation's stream, which has its first event then.
func (w *apiWorld) stream(id string) io.ReadCloser {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.base+"/v1/operations/"+id+"/events", nil)
	if err != nil {
		w.Fatal(err)
	}
	res := w.send(req, "read")
	if ct := res.Header.Get("Content-Type"); ct != "text/event-stream" {
		w.Fatalf("%s, %s", res.Status, ct)
	}
	return res.Body
}

// events are what is left of a stream.
func (w *apiWorld) events(stream io.ReadCloser) (events []serve.Operation) {
	w.Helper()
	defer stream.Close()
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var o serve.Operation
			if err := json.Unmarshal([]byte(data), &o); err != nil {
				w.Fatal(err)
			}
			events = append(events, o)
		}
	}
	return events
}

// slow is a rate at which a replay of a few lasts longer than a test looks at it:
// one dead letter in a minute.
const slow = 1.0 / 60

func TestAPIListsInPagesUnderNewLetters(t *testing.T) {
	w := newAPI(t)
	w.many(25)
	var ids []string
	query := "limit=10"
	for n := 0; ; n++ {
		page := w.list(query)
		for _, l := range page.Items {
			ids = append(ids, l.ID)
		}
		if page.Next == "" {
			break
		}
		query = "limit=10&cursor=" + url.QueryEscape(page.Next)
		w.write(w.letter(1000+2*n), w.letter(1001+2*n)) // newer ones come first, and so on no later page
	}
	if len(ids) != 25 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 25 {
		t.Errorf("the pages have %d dead letters: %v", len(ids), ids)
	}
	if got := w.list("event_id=evt_7&reason=mapping_failed&type=charge.*"); len(got.Items) != 1 || got.Items[0].EventID != "evt_7" {
		t.Errorf("the filter finds %+v", got)
	}
	if got := w.list("event_id=none"); got.Items == nil || len(got.Items) != 0 {
		t.Errorf("an empty list is %+v", got)
	}
}

// TestAPIListsWhatBecameOfARun: run and status select together.
func TestAPIListsWhatBecameOfARun(t *testing.T) {
	w := newAPI(t)
	w.many(3)
	w.dlq("replay", w.letter(0).ID(), w.letter(1).ID(), "--yes", "--replay-id", "r1").want(t, exitOK)
	for query, want := range map[string]int{
		"run=r1": 2, "run=r1&status=all": 2, "run=r1&status=unknown": 2, "run=r1&status=failed-again": 0, "run=r1&status=discarded": 0, "run=r2": 0,
	} {
		if got := w.list(query); len(got.Items) != want {
			t.Errorf("%s lists %d, want %d", query, len(got.Items), want)
		}
	}
}

func TestAPIShowsAndCounts(t *testing.T) {
	w := newAPI(t)
	ids := w.many(3)
	for _, path := range []string{ids[1], url.PathEscape(ids[1])} {
		full := want[output.Full](t, w.call("read", "GET", "/v1/dead-letters/"+path, nil), 200)
		if full.ID != ids[1] || full.Payload == nil || full.Similar.Count != 2 || !strings.Contains(full.Replay, "would go to") {
			t.Errorf("%s shows %+v", path, full)
		}
	}
	if full := want[output.Full](t, w.call("read", "GET", "/v1/dead-letters/"+ids[1]+"?payload=false", nil), 200); full.Payload != nil {
		t.Error("the payload is shown")
	}
	want[object](t, w.call("read", "GET", "/v1/dead-letters/transform:none/0/0", nil), 404)
	if s := want[output.Summary](t, w.call("read", "GET", "/v1/stats", nil), 200); s.Open != 3 || len(s.Groups) != 1 {
		t.Errorf("counts %+v", s)
	}
}

func TestAPIReplays(t *testing.T) {
	w := newAPI(t)
	const n = 20
	w.many(n)
	body := object{"filter": object{"provider": "stripe", "reason": []string{"mapping_failed"}}, "dry_run": true}
	plan := want[output.Outcome](t, w.call("replay", "POST", "/v1/replays", body), 200)
	if plan.Planned != n || !plan.DryRun || len(w.read(w.cfg.Topics.Resolutions)) != 0 {
		t.Fatalf("the dry run gives %+v", plan)
	}
	delete(body, "dry_run")
	want[object](t, w.call("replay", "POST", "/v1/replays", body), 400) // without at_most
	body["at_most"] = n - 1
	if p := want[object](t, w.call("replay", "POST", "/v1/replays", body), 409); !strings.Contains(fmt.Sprint(p["detail"]), "20 match by now, at_most is 19") {
		t.Errorf("refused with %v", p)
	}
	body["at_most"], body["replay_id"], body["why"], body["rate"] = n, "run-1", "mended", slow
	started := w.call("replay", "POST", "/v1/replays", body)
	o := want[serve.Operation](t, started, 202)
	if o.ID != "run-1" || o.By != "token/may-replay" || started.header.Get("Location") != "/v1/operations/run-1" {
		t.Errorf("started %+v at %s", o, started.header.Get("Location"))
	}
	// The same request again finds the same run; another has to wait.
	want[object](t, w.call("replay", "POST", "/v1/replays", body), 202)
	want[object](t, w.call("discard", "POST", "/v1/discards", object{"all": true, "at_most": n, "why": "x"}), 409)

	stream := w.stream("run-1")
	want[object](t, w.call("replay", "POST", "/v1/operations/run-1/stop", nil), 202)
	events := w.events(stream)
	last := events[len(events)-1]
	if len(events) < 2 || events[0].State != serve.Running || last.State != serve.Interrupted || last.EndedAt == nil {
		t.Errorf("the progress is %+v", events)
	}
	delete(body, "rate")
	want[object](t, w.call("replay", "POST", "/v1/replays", body), 202)
	events = w.follow("run-1")
	if rest := events[len(events)-1]; rest.State != serve.Done || last.Done+rest.Done != n {
		t.Errorf("after %d it ended with %+v", last.Done, rest)
	}
	w.eachOnce(n)
	for _, r := range w.read(w.cfg.Topics.Resolutions) {
		if res, err := record.ParseResolution(r); err != nil || res.By != "token/may-replay" || res.ReplayID != "run-1" || res.Why != "mended" {
			t.Fatalf("resolution %+v, %v", res, err)
		}
	}
	again := want[output.Outcome](t, w.call("replay", "POST", "/v1/replays", body), 200)
	if again.Planned != 0 {
		t.Errorf("the same again plans %+v", again)
	}
	w.eachOnce(n)
	if got := w.list("status=replayed&run=run-1&limit=1000"); len(got.Items) != n || got.Items[0].Resolution.By != "token/may-replay" {
		t.Errorf("%d are listed", len(got.Items))
	}
	counts := want[struct{ Outcomes map[string]int }](t, w.call("read", "GET", "/v1/replays/run-1/outcomes", nil), 200)
	if counts.Outcomes["unknown"] != n {
		t.Errorf("outcomes %v", counts)
	}
	history := want[struct{ Items []object }](t, w.call("read", "GET", "/v1/history?by=token/may-replay", nil), 200)
	if len(history.Items) != 1 || history.Items[0]["replay_id"] != "run-1" || history.Items[0]["count"] != 20.0 {
		t.Errorf("history %v", history)
	}
	if none := w.call("read", "GET", "/v1/history?by=nobody", nil); string(none.body) != `{"items":[]}`+"\n" {
		t.Errorf("history of nobody: %s", none.body)
	}
	for _, part := range []string{`"msg":"a change begins"`, `"audit":true,"operation":"run-1","action":"replayed","by":"token/may-replay","why":"mended"`, `"selected":"provider=stripe&reason=mapping_failed"`, `"msg":"a change ended"`} {
		if !strings.Contains(w.logs.String(), part) {
			t.Errorf("the log lacks %s:\n%s", part, w.logs)
		}
	}
}

// TestAPIReplayOutlivesItsClient, and what a stop or the end of the service left
// is done by the same request.
func TestAPIReplayOutlivesItsClient(t *testing.T) {
	w := newAPI(t)
	const n = 12
	w.many(n)
	ctx, cancel := context.WithCancel(t.Context())
	body := object{"all": true, "at_most": n, "replay_id": "run-2", "rate": slow}
	want[object](t, w.call(everything, "POST", "/v1/replays", body), 202)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/v1/operations/run-2/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token-read")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel() // this client goes away
	_ = res.Body.Close()

	state := func() serve.Operation {
		return want[serve.Operation](t, w.call("read", "GET", "/v1/operations/run-2", nil), 200)
	}
	runtest.Eventually(t, "the replay goes on", func() bool { return state().Done > 0 })
	want[object](t, w.call("read", "POST", "/v1/operations/run-2/stop", nil), 403)
	want[object](t, w.call("replay", "POST", "/v1/operations/run-2/stop", nil), 202)
	runtest.Eventually(t, "the replay stops", func() bool { return state().State == serve.Interrupted })
	left := n - state().Done
	if left == 0 {
		t.Fatal("there was nothing left to stop")
	}

	delete(body, "rate")
	o := want[serve.Operation](t, w.call(everything, "POST", "/v1/replays", body), 202)
	if o.Planned != left {
		t.Errorf("resumes with %d of %d", o.Planned, left)
	}
	if events := w.follow("run-2"); events[len(events)-1].State != serve.Done {
		t.Errorf("resumed: %+v", events)
	}
	w.eachOnce(n)
}

// TestAPIAnotherInstanceGoesOn where one was that ended in the middle.
func TestAPIAnotherInstanceGoesOn(t *testing.T) {
	w := newAPI(t)
	const n = 12
	w.many(n)
	body := object{"all": true, "at_most": n, "replay_id": "run-3", "rate": slow}
	want[object](t, w.call(everything, "POST", "/v1/replays", body), 202)
	runtest.Eventually(t, "the replay has begun", func() bool { return len(w.read(w.cfg.Topics.Resolutions)) > 0 })
	w.stop()
	if sent := len(w.read(w.cfg.Topics.Resolutions)); sent == n {
		t.Fatal("there was nothing left to stop")
	}
	if !strings.Contains(w.logs.String(), `"state":"interrupted"`) {
		t.Errorf("the log does not say so:\n%s", w.logs)
	}
	w.start()
	want[object](t, w.call("read", "GET", "/v1/operations/run-3", nil), 404)
	delete(body, "rate")
	want[object](t, w.call(everything, "POST", "/v1/replays", body), 202)
	w.follow("run-3")
	w.eachOnce(n)
}

func TestAPIDiscardsAndTakesItBack(t *testing.T) {
	w := newAPI(t)
	ids := w.many(4)
	want[object](t, w.call("discard", "POST", "/v1/discards", object{"ids": ids[:3]}), 400) // why not
	o := want[serve.Operation](t, w.call("discard", "POST", "/v1/discards", object{"ids": ids[:3], "why": "test traffic"}), 202)
	w.follow(o.ID)
	if got := w.list("status=discarded"); len(got.Items) != 3 || got.Items[0].Resolution.Why != "test traffic" {
		t.Errorf("discarded are %+v", got)
	}
	o = want[serve.Operation](t, w.call("discard", "POST", "/v1/undos", object{"ids": ids[:1], "why": "no, it is real"}), 202)
	w.follow(o.ID)
	if got := w.list(""); len(got.Items) != 2 {
		t.Errorf("%d are open", len(got.Items))
	}
	if all := want[struct{ Items []serve.Operation }](t, w.call("read", "GET", "/v1/operations", nil), 200); len(all.Items) != 2 || all.Items[0].ID != o.ID {
		t.Errorf("operations %+v", all)
	}
}

// TestAPISimulatesWhatIsIdentified: without an identity a mended body would fail again.
func TestAPISimulatesWhatIsIdentified(t *testing.T) {
	w := newAPI(t)
	cut := w.defective(9, reason.MalformedBody, `{"id":"evt_9","type":"charge.failed","amount":9,"data":{"object":{"id":"ch_9"}}}`)
	w.write(cut)
	body := object{"ids": []string{cut.ID()}}
	if sim := want[output.Simulation](t, w.call("simulate", "POST", "/v1/simulations", body), 200); sim.Failed != 1 || sim.Failures[0].Reason != reason.MalformedBody {
		t.Errorf("unidentified: %+v", sim)
	}
	body["identify"] = true
	if sim := want[output.Simulation](t, w.call("simulate", "POST", "/v1/simulations", body), 200); sim.Failed != 0 || sim.Tried != 1 {
		t.Errorf("identified: %+v", sim)
	}
}

func TestAPISimulatesAndPatches(t *testing.T) {
	w := newAPI(t)
	ids := w.many(3)
	body := object{"ids": ids[:1], "patch": ".amount |= tostring"}
	sim := want[output.Simulation](t, w.call("simulate", "POST", "/v1/simulations", body), 200)
	if sim.Tried != 1 {
		t.Errorf("simulated %+v", sim)
	}
	if sim := want[output.Simulation](t, w.call("simulate", "POST", "/v1/simulations", object{"filter": object{"event_id": "none"}}), 200); sim.Tried != 0 {
		t.Errorf("simulated %+v", sim)
	}
	o := want[serve.Operation](t, w.call("replay", "POST", "/v1/replays", body), 202)
	w.follow(o.ID)
	sent := w.read(w.cfg.Topics.Raw)
	if len(sent) != 1 || !strings.Contains(string(sent[0].Value), `"amount":"0"`) {
		t.Errorf("%d were sent: %s", len(sent), sent[0].Value)
	}
	if got := w.list("status=replayed"); len(got.Items) != 1 || got.Items[0].Resolution.Edit == nil {
		t.Errorf("the resolution does not say what was edited: %+v", got.Items)
	}
	for _, patch := range []string{"(", strings.Repeat("a", 20<<10)} {
		body["patch"] = patch
		want[object](t, w.call("replay", "POST", "/v1/replays", body), 400)
		want[object](t, w.call("simulate", "POST", "/v1/simulations", body), 400)
	}
}

// TestAPIBoundsJQ: a program that would never end, or take all memory, is answered with
// what it exceeded.
func TestAPIBoundsJQ(t *testing.T) {
	w := newAPI(t)
	w.many(3)
	for patch, why := range map[string]string{
		`"x"*1000000000`: "needs more than 64 MiB", `def f: f; f`: "did not end within 1000000 steps", `[range(1e12)]`: "did not end within 1000000 steps",
		`[limit(1e9; repeat(1))]`: "did not end within 1000000 steps",
	} {
		sim := want[output.Simulation](t, w.call("simulate", "POST", "/v1/simulations", object{"all": true, "patch": patch}), 200)
		if len(sim.Refused) != 1 || sim.Refused[0].Count != 3 || !strings.Contains(sim.Refused[0].Why, why) {
			t.Errorf("%s: %+v, want %q", patch, sim, why)
		}
		plan := want[output.Outcome](t, w.call("replay", "POST", "/v1/replays", object{"all": true, "patch": patch, "dry_run": true}), 200)
		if plan.Planned != 0 || len(plan.Refused) != 1 || !strings.Contains(plan.Refused[0].Why, why) {
			t.Errorf("%s: %+v, want %q", patch, plan, why)
		}
	}
	for _, patch := range []string{`input`, `$ENV`, `setpath([1000000000]; 1)`, `.[1000000000] = 1`, `test(.a)`} {
		want[object](t, w.call("simulate", "POST", "/v1/simulations", object{"all": true, "patch": patch}), 400)
	}
}

// TestAPIBoundsSimulations in how many dead letters one tries.
func TestAPIBoundsSimulations(t *testing.T) {
	w := newStoppedAPI(t)
	cfg := serveConfig(w.world)
	cfg.API.MaxSimulated = 2
	w.startWith(cfg)
	w.many(3)
	if p := want[object](t, w.call("simulate", "POST", "/v1/simulations", object{"all": true}), 409); !strings.Contains(fmt.Sprint(p["detail"]), "MAX_SIMULATED") {
		t.Errorf("got %v", p)
	}
	want[object](t, w.call("simulate", "POST", "/v1/simulations", object{"all": true, "limit": 3}), 400)
	if sim := want[output.Simulation](t, w.call("simulate", "POST", "/v1/simulations", object{"all": true, "limit": 2}), 200); sim.Tried != 2 {
		t.Errorf("simulated %+v", sim)
	}
}

func TestAPIIsReadyOnceAllIsCounted(t *testing.T) {
	w := newAPI(t)
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.svc.AdminAddress()+path, nil)
		if err != nil {
			t.Fatal(err)
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
		return res.StatusCode, string(data)
	}
	runtest.Eventually(t, "ready", func() bool { code, _ := get("/readyz"); return code == 200 })
	if code, body := get("/livez"); code != 200 {
		t.Errorf("/livez: %d %s", code, body)
	}
}

func TestServeNeedsCallers(t *testing.T) {
	w := newWorld(t)
	cfg := serveConfig(w)
	cfg.API.TokensFile = ""
	if _, err := New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "HOOKSTREAM_DLQ_TOKENS_FILE") {
		t.Errorf("got %v", err)
	}
}
