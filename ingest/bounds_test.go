// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/hookstream/hookstream/ingest/internal/limit"
	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

// memory is what the process uses: heap in use after a collection, and stacks.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// inParallel sends requests from a few senders and returns the sorted times that
// they took.
func inParallel(t *testing.T, n int, status int, request func(i int) *http.Request) []time.Duration {
	t.Helper()
	const senders = 4
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for sender := range senders {
		wg.Go(func() {
			for i := sender; i < n; i += senders {
				r := request(i)
				begin := time.Now()
				got, err := send(r)
				if err != nil || got.status != status {
					t.Errorf("request %d: answered %d (%s), error %v, want %d", i, got.status, got.Type, err, status)
				}
				mu.Lock()
				took = append(took, time.Since(begin))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took
}

func times(sorted []time.Duration) string {
	at := func(p int) time.Duration { return sorted[(len(sorted)-1)*p/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %s, p99 %s", at(50), at(99))
}

// TestFlood: while ten thousand connections are idle or slow, and others send what
// is meant to exhaust memory, webhooks are taken as always. Each connection that
// is closed comes again at once.
func TestFlood(t *testing.T) {
	const requests = 400
	connections := 10_000
	if most := limit.OpenFiles() - 2*spareFiles; most < connections {
		t.Logf("only %d connections: the limit of open files is %d", most, limit.OpenFiles())
		connections = most
	}
	cfg := config(t, kafkatest.New(t))
	cfg.MaxConnections = connections + spareFiles/2
	cfg.MaxBodyBytes = 2_050_000 // a million levels, there and back
	// Nobody is sent away for being slow: what slow senders take is at its most.
	cfg.HeaderTimeout, cfg.ReadTimeout, cfg.MinBodyRate = time.Minute, time.Minute, 1
	cfg.ProduceTimeout = time.Minute // how fast a busy machine is does not matter here
	s := start(t, cfg).waitReady()
	webhook := func(prefix string) func(int) *http.Request {
		return func(i int) *http.Request { return signed(t, s.url, event(prefix+strconv.Itoa(i))) }
	}
	shed := counted(t, "hookstream.ingest.connections.shed")
	alone := inParallel(t, requests, http.StatusAccepted, webhook("alone"))
	before := memory()

	flood(t, s.Address(), connections)
	runtest.Eventually(t, "the connections are open", func() bool { return counted(t, "hookstream.ingest.connections") >= connections*98/100 })
	during := inParallel(t, requests, http.StatusAccepted, webhook("flooded"))
	flooded := memory() - before
	open := counted(t, "hookstream.ingest.connections")

	const deep = 1_000_000
	deepBody := `{"id":"deep","x":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + "}"
	bomb := gzipBomb(t, 1<<30)
	attacks := make(chan int)
	go func() {
		attacks <- len(inParallel(t, 8, http.StatusAccepted, func(int) *http.Request { return signed(t, s.url, deepBody) })) +
			len(inParallel(t, 24, http.StatusRequestEntityTooLarge, func(int) *http.Request { return bombed(t, s.url, bomb) }))
	}()
	attacked := inParallel(t, requests, http.StatusAccepted, webhook("attacked"))
	sent := <-attacks
	http.DefaultClient.CloseIdleConnections()
	after := memory() - before

	// 48 KiB a connection: goroutine, buffers, a request begun. Bodies have
	// their own bound, of which what is released waits for the collector.
	bound := int64(connections)*(48<<10) + 2*cfg.MaxInFlightBytes
	if flooded > bound || after > bound {
		t.Errorf("memory grew by %d MiB and then %d MiB, bound %d MiB", flooded>>20, after>>20, bound>>20)
	}
	t.Logf("%d connections idle or slow: memory %+d MiB, %.1f KiB each; after %d bodies that are %d levels deep or expand to 1 GiB: %+d MiB",
		open, flooded>>20, float64(flooded)/1024/float64(max(open, 1)), sent, deep, after>>20)
	t.Logf("%d webhooks alone: %s; beside the connections: %s; beside the bodies too: %s",
		requests, times(alone), times(during), times(attacked))
	t.Logf("gave way: %d connections", counted(t, "hookstream.ingest.connections.shed")-shed)
}

// gzipBomb expands to so many zeros. Its members are all the same, so that it is
// made in a moment.
func gzipBomb(t *testing.T, size int) []byte {
	t.Helper()
	const member = 1 << 20
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(make([]byte, member)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(b.Bytes(), size/member)
}

func bombed(t *testing.T, url string, bomb []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/webhooks/stripe", bytes.NewReader(bomb))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "gzip")
	return r
}

// counted is a metric's sum over its attributes and this package's services.
func counted(t *testing.T, name string) int {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if data, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == name {
				for _, point := range data.DataPoints {
					sum += int(point.Value)
				}
			}
		}
	}
	return sum
}

// TestIdleConnectionsGiveWay: with more connections than there may be, webhooks on
// new ones are taken.
func TestIdleConnectionsGiveWay(t *testing.T) {
	const most = 50
	cfg := config(t, kafkatest.New(t))
	cfg.MaxConnections = most
	s := start(t, cfg).waitReady()
	for range 2 * most {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	inParallel(t, 4*most, http.StatusAccepted, func(i int) *http.Request {
		r := signed(t, s.url, event(strconv.Itoa(i)))
		r.Close = true
		return r
	})
	if open := counted(t, "hookstream.ingest.connections"); open > most {
		t.Errorf("%d connections are open", open)
	}
}

// TestSlowBodiesDoNotKeepOthersOut: slow senders that together announce and send
// more than may be held are those who give way.
func TestSlowBodiesDoNotKeepOthersOut(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.MaxBodyBytes, cfg.MaxInFlightBytes = 64<<10, 512<<10
	shed := counted(t, "hookstream.ingest.connections.shed")
	s := start(t, cfg).waitReady()
	for range 200 {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	// By then they are slow; a body in its first second might yet be quick.
	opened := time.Now()
	runtest.Eventually(t, "slow bodies hold all memory", func() bool {
		return counted(t, "hookstream.ingest.requests.in_flight") == int(cfg.MaxInFlightBytes)/(4<<10) && time.Since(opened) > 2*time.Second
	})
	inParallel(t, 100, http.StatusAccepted, func(i int) *http.Request { return signed(t, s.url, event(strconv.Itoa(i))) })
	if counted(t, "hookstream.ingest.connections.shed") == shed {
		t.Error("nobody had to give way: the test tests nothing")
	}
}

// TestDrainDelay: after readiness has ended webhooks are still taken, on
// connections that end with their answer.
func TestDrainDelay(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.DrainDelay = 3 * time.Second
	s := start(t, cfg).waitReady()
	s.Cancel()
	runtest.Eventually(t, "readiness ends", func() bool { return !s.ready() })
	res, err := http.DefaultClient.Do(signed(t, s.url, event("1")))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted || !res.Close {
		t.Errorf("answered %d, closing %t", res.StatusCode, res.Close)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := net.Dial("tcp", s.Address()); err == nil {
		t.Error("still listening")
	}
}

func TestRateLimit(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.RateLimits = map[string]float64{"default/*": 0.01}
	cfg.RateBurst = 200 * time.Second // two tokens
	s := start(t, cfg).waitReady()
	mustSend(t, signed(t, s.url, event("1")), http.StatusAccepted)
	forged := signed(t, s.url, event("2"))
	forged.Header.Set("Stripe-Signature", "t=1,v1=0")
	mustSend(t, forged, http.StatusUnauthorized)
	got := mustSend(t, signed(t, s.url, event("3")), http.StatusTooManyRequests)
	if after, err := strconv.Atoi(got.header.Get("Retry-After")); err != nil || after < 1 || after > 100 {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}
}

func TestAllowedNetworksBehindAProxy(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.TrustedProxies = []string{"127.0.0.0/8"}
	cfg.AllowedNetworks = map[string]string{"stripe": "198.51.100.0/24"}
	s := start(t, cfg).waitReady()
	from := func(forwarded string) *http.Request {
		r := signed(t, s.url, event("1"))
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return r
	}
	mustSend(t, from("203.0.113.9, 198.51.100.7"), http.StatusAccepted)
	mustSend(t, from("198.51.100.7, 203.0.113.9"), http.StatusForbidden)
	mustSend(t, from(""), http.StatusForbidden)
}

// TestTheURLThatSendersSeeIsSigned: Square signs it, and only a trusted proxy knows
// it.
func TestTheURLThatSendersSeeIsSigned(t *testing.T) {
	const key, body = "square-key", `{"merchant_id":"m","event_id":"e","type":"payment.updated","data":{"id":"p"}}`
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("https://hooks.example.com/webhooks/square?v=1" + body))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for name, c := range map[string]struct {
		trusted []string
		want    int
	}{"trusted": {[]string{"127.0.0.1"}, http.StatusAccepted}, "not trusted": {nil, http.StatusUnauthorized}} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, kafkatest.New(t))
			cfg.Secrets, cfg.TrustedProxies = "default/square="+key, c.trusted
			s := start(t, cfg).waitReady()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/webhooks/square?v=1", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Square-Hmacsha256-Signature", signature)
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("X-Forwarded-Host", "hooks.example.com")
			mustSend(t, r, c.want)
		})
	}
}

// TestProxyProtocol: the address in its header counts as the sender's.
func TestProxyProtocol(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.TrustedProxies, cfg.ProxyProtocol = []string{"127.0.0.0/8"}, true
	cfg.AllowedNetworks = map[string]string{"stripe": "198.51.100.0/24"}
	s := start(t, cfg).waitReady()
	for client, want := range map[string]string{"198.51.100.1": "HTTP/1.1 401 ", "203.0.113.1": "HTTP/1.1 403 "} {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "PROXY TCP4 "+client+" 127.0.0.1 4711 443\r\nPOST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		conn.Close()
		if err != nil || !strings.HasPrefix(string(answer), want) {
			t.Errorf("from %s: answered %.40q, error %v", client, answer, err)
		}
	}
}

// TestChangedSecretsTakeEffect rotates: with both secrets in the file either
// verifies, and with the new one alone the old one does not.
func TestChangedSecretsTakeEffect(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "default", "stripe")
	write := func(secrets string) {
		// In one step, as Kubernetes and careful people do.
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		next := filepath.Join(t.TempDir(), "next")
		if err := os.WriteFile(next, []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
	}
	write("old\n")
	cfg := config(t, kafkatest.New(t))
	cfg.Secrets, cfg.SecretsDir = "", dir
	s, err := newService(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, s).waitReady()
	answers := func(secret string, want int) bool {
		got, err := send(signedWith(t, r.url, event("1"), secret))
		return err == nil && got.status == want
	}
	for secret, want := range map[string]int{"old": http.StatusAccepted, "new": http.StatusUnauthorized} {
		if !answers(secret, want) {
			t.Errorf("at start, signed with %s: not answered %d", secret, want)
		}
	}
	write("old\nnew\n")
	s.setup.Look(t.Context())
	if !answers("new", http.StatusAccepted) {
		t.Error("the new secret does not verify")
	}
	if !answers("old", http.StatusAccepted) {
		t.Error("the old one does not verify any more")
	}
	write("new\n")
	s.setup.Look(t.Context())
	if !answers("old", http.StatusUnauthorized) {
		t.Error("the old one still verifies")
	}
	if !answers("new", http.StatusAccepted) {
		t.Error("the new one does not verify any more")
	}
}
