// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/hookstream/hookstream/stage/kafkatest"
	"github.com/hookstream/hookstream/stage/runtest"
)

const (
	stripeSecret = "whsec_test"
	patience     = 20 * time.Second
)

// spans and metrics are those of all tests of this package.
var (
	spans   = tracetest.NewSpanRecorder()
	metrics = sdkmetric.NewManualReader()
)

func TestMain(m *testing.M) {
	if address := os.Getenv(floodAddress); address != "" {
		n, err := strconv.Atoi(os.Getenv(floodConnections))
		if err != nil {
			panic(err)
		}
		os.Exit(runFlood(address, n))
	}
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)))
	otel.SetMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(metrics)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	os.Exit(m.Run())
}

// running is a service under test.
type running struct {
	*Service
	*runtest.Run
	t   *testing.T
	url string
}

func config(t *testing.T, b *kafkatest.Broker) Config {
	t.Helper()
	var cfg Config
	if err := Info.Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Address, cfg.AdminAddress = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Kafka.Brokers, cfg.Kafka.Topics, cfg.Kafka.Partitions = b.Addresses, b.Topics(), 3
	cfg.DrainDelay = 0 // no load balancer has to notice
	cfg.Secrets = Secret("default/stripe=" + stripeSecret)
	return cfg
}

func newService(t *testing.T, cfg Config) (*Service, error) {
	t.Helper()
	return New(cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	s, err := newService(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, s)
}

func run(t *testing.T, s *Service) *running {
	t.Helper()
	return &running{Service: s, Run: runtest.Start(t, s.Run), t: t, url: "http://" + s.Address()}
}

// ready asks /readyz.
func (r *running) ready() bool {
	res, err := http.Get("http://" + r.AdminAddress() + "/readyz")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (r *running) waitReady() *running {
	r.t.Helper()
	runtest.Eventually(r.t, "the service is ready", r.ready)
	return r
}

func event(id string) string {
	return `{"id":"` + id + `","type":"customer.created","created":1767225600,"data":{"object":{"id":"cus_` + id + `"}}}`
}

func signed(t *testing.T, url, body string) *http.Request {
	t.Helper()
	return signedWith(t, url, body, stripeSecret)
}

// signedWith signs as Stripe does, with any secret.
func signedWith(t *testing.T, url, body, secret string) *http.Request {
	t.Helper()
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(now + "." + body))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/webhooks/stripe", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Stripe-Signature", "t="+now+",v1="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

type reply struct {
	status                 int
	header                 http.Header
	EventID, CorrelationID string
	Type, TraceID          string
}

func send(r *http.Request) (reply, error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	out := reply{status: res.StatusCode, header: res.Header}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	return out, json.Unmarshal(data, &out)
}

func mustSend(t *testing.T, r *http.Request, status int) reply {
	t.Helper()
	got, err := send(r)
	if err != nil {
		t.Fatal(err)
	}
	if got.status != status {
		t.Fatalf("answered %d (%s), want %d", got.status, got.Type, status)
	}
	return got
}

// read reads n records of the raw topic.
func read(t *testing.T, cfg *Config, n int) []*kgo.Record {
	t.Helper()
	return readUntil(t, cfg, func(records []*kgo.Record) bool { return len(records) >= n })
}

// readUntil reads the raw topic from its beginning, with a client of its own.
func readUntil(t *testing.T, cfg *Config, enough func([]*kgo.Record) bool) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cfg.Kafka.Brokers...), kgo.ConsumeTopics(cfg.Kafka.Topics.Raw),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []*kgo.Record
	for !enough(out) {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("only %d records are there: %v", len(out), err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func TestWebhookBecomesARecordByteForByte(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	s := start(t, cfg).waitReady()
	const body = "{ \"id\" : \"evt_1\",\r\n \"type\":\"charge.captured\", \"created\":1767225600,\"data\":{\"object\":{\"id\":\"ch_1\",\"payment_intent\":\"pi_\\u00e9é\"}}}\n"
	const theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r := signed(t, s.url, body)
	r.Header.Set("X-Request-Id", "abc")
	r.Header.Set("traceparent", theirs)
	before := time.Now()
	got := mustSend(t, r, http.StatusAccepted)
	if got.EventID != "evt_1" || got.CorrelationID != "abc" || got.header.Get("X-Correlation-Id") != "abc" {
		t.Errorf("answered %+v", got)
	}

	rec := read(t, &cfg, 1)[0]
	if string(rec.Value) != body {
		t.Errorf("value %q", rec.Value)
	}
	if want := "default/stripe/pi_éé"; string(rec.Key) != want {
		t.Errorf("key %q, want %q", rec.Key, want)
	}
	header := map[string]string{}
	for _, h := range rec.Headers {
		if _, twice := header[h.Key]; twice {
			t.Errorf("header %s is there twice", h.Key)
		}
		header[h.Key] = string(h.Value)
	}
	received, err := time.Parse(time.RFC3339Nano, header["hookstream-received-at"])
	if err != nil || received.Before(before.Add(-time.Second)) || received.After(time.Now()) {
		t.Errorf("received at %q", header["hookstream-received-at"])
	}
	delete(header, "hookstream-received-at")
	checkTrace(t, header["traceparent"], theirs)
	delete(header, "traceparent")
	want := map[string]string{
		"ce_specversion": "1.0", "ce_id": "evt_1", "ce_source": "/webhooks/default/stripe", "ce_type": "charge.captured",
		"ce_time": "2026-01-01T00:00:00.000000Z", "ce_partitionkey": "pi_éé", "ce_correlationid": "abc",
		"content-type": "application/json", "hookstream-record-version": "1", "hookstream-tenant": "default",
		"hookstream-provider": "stripe", "hookstream-identity-source": "provider-id",
		"hookstream-request-stripe-signature": r.Header.Get("Stripe-Signature"),
		"hookstream-verification":             "hmac", "hookstream-verification-key": keyID(stripeSecret),
		"hookstream-remote": "127.0.0.1",
	}
	for name, value := range want {
		if header[name] != value {
			t.Errorf("header %s is %q, want %q", name, header[name], value)
		}
		delete(header, name)
	}
	if len(header) > 0 {
		t.Errorf("further headers: %v", header)
	}
}

// keyID tells secrets apart without telling them.
func keyID(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("hookstream key id"))
	return hex.EncodeToString(mac.Sum(nil)[:4])
}

// checkTrace: the record continues the trace of its request, which only links to
// the sender's.
func checkTrace(t *testing.T, traceparent, theirs string) {
	t.Helper()
	runtest.Eventually(t, "the request's span ended", func() bool {
		for _, span := range spans.Ended() {
			if !strings.HasPrefix(span.Name(), "POST /webhooks") || !strings.Contains(traceparent, span.SpanContext().TraceID().String()) {
				continue
			}
			if span.Parent().IsValid() || len(span.Links()) != 1 || !strings.Contains(theirs, span.Links()[0].SpanContext.TraceID().String()) {
				t.Errorf("the span has parent %v and links %v", span.Parent(), span.Links())
			}
			return true
		}
		return false
	})
	if strings.Contains(theirs, strings.Split(traceparent, "-")[1]) {
		t.Errorf("the sender chose the trace id: %s", traceparent)
	}
}

func TestProblemsCarryTheTrace(t *testing.T) {
	s := start(t, config(t, kafkatest.New(t)))
	r := signed(t, s.url, event("1"))
	r.Header.Set("Stripe-Signature", "t=1,v1=0")
	if got := mustSend(t, r, http.StatusUnauthorized); len(got.TraceID) != 32 || got.CorrelationID == "" {
		t.Errorf("answered %+v", got)
	}
}

func TestWithoutKafkaTheAnswerIs503(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	s := start(t, config(t, &kafkatest.Broker{Addresses: []string{nobody}}))
	got := mustSend(t, signed(t, s.url, event("1")), http.StatusServiceUnavailable)
	if got.header.Get("Retry-After") == "" || !strings.HasSuffix(got.Type, "#not-acknowledged") {
		t.Errorf("answered %+v", got)
	}
	if s.ready() {
		t.Error("reported as ready")
	}
	if _, parts := s.health.Ready(); !strings.Contains(parts[partKafka].Reason, "Kafka") {
		t.Errorf("it does not say what it waits for: %+v", parts)
	}
	s.Cancel()
	if err := s.Wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestOutage: while the broker hangs up on everybody, every request is answered
// within the deadline and nothing piles up; when it is back, so are we; and what
// was answered 202 is there.
func TestOutage(t *testing.T) {
	c := kafkatest.Fake(t, "it hangs up here on everybody")
	var away atomic.Bool
	c.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if away.Load() {
			return nil, errors.New("hung up"), true
		}
		return nil, nil, false
	})
	cfg := config(t, &kafkatest.Broker{Addresses: c.ListenAddrs()})
	cfg.ProduceTimeout = 200 * time.Millisecond
	s := start(t, cfg).waitReady()
	runtest.Eventually(t, "webhooks are accepted", func() bool {
		got, err := send(signed(t, s.url, event("before")))
		return err == nil && got.status == http.StatusAccepted
	})
	goroutines := runtime.NumGoroutine()

	away.Store(true)
	for round := range 5 {
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				got, err := send(signed(t, s.url, event(fmt.Sprintf("away-%d-%d", round, i))))
				if err != nil || got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
					t.Errorf("answered %d, error %v", got.status, err)
				}
			})
		}
		wg.Wait()
	}
	http.DefaultClient.CloseIdleConnections()
	runtest.Eventually(t, "the goroutines of the outage ended", func() bool { return runtime.NumGoroutine() < goroutines+20 })

	away.Store(false)
	runtest.Eventually(t, "webhooks are accepted again", func() bool {
		got, err := send(signed(t, s.url, event("after")))
		return err == nil && got.status == http.StatusAccepted
	})
	readUntil(t, &cfg, func(records []*kgo.Record) bool {
		stored := map[string]bool{}
		for _, r := range records {
			stored[string(r.Key)] = true
		}
		return stored["default/stripe/cus_before"] && stored["default/stripe/cus_after"]
	})
}

// TestDrainFinishesWhatIsInHand: a request that waits for the broker when the
// service is told to stop is answered as if nothing had happened.
func TestDrainFinishesWhatIsInHand(t *testing.T) {
	c := kafkatest.Fake(t, "it holds one answer back here")
	cfg := config(t, &kafkatest.Broker{Addresses: c.ListenAddrs()})
	s := start(t, cfg).waitReady()
	reached, release := make(chan struct{}), make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(reached)
		c.SleepControl(func() { <-release })
		c.DropControl()
		return nil, nil, false
	})
	answer := make(chan reply, 1)
	go func() {
		got, err := send(signed(t, s.url, event("1")))
		if err != nil {
			t.Errorf("in hand: %v", err)
		}
		answer <- got
	}()
	<-reached
	s.Cancel()
	runtest.Eventually(t, "readiness ends", func() bool { return !s.ready() })
	runtest.Eventually(t, "new connections are refused", func() bool {
		conn, err := net.Dial("tcp", s.Address())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(release)
	if got := <-answer; got.status != http.StatusAccepted {
		t.Errorf("in hand: answered %d", got.status)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if r := read(t, &cfg, 1)[0]; !strings.HasSuffix(string(r.Key), "cus_1") {
		t.Errorf("stored %s", r.Key)
	}
}

// TestDrainUnderLoadLosesNothing stops the service amid traffic and looks for
// everything it had accepted.
func TestDrainUnderLoadLosesNothing(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	s := start(t, cfg).waitReady()
	var mu sync.Mutex
	accepted := map[string]bool{}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", worker, i)
				got, err := send(signed(t, s.url, event(id)))
				if err != nil {
					return // refused or cut off: no answer was given
				}
				if got.status != http.StatusAccepted {
					t.Errorf("answered %d", got.status)
					return
				}
				mu.Lock()
				accepted["default/stripe/cus_"+id] = true
				if len(accepted) == 300 {
					s.Cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := s.Wait(); err != nil {
		t.Fatalf("Run: %v", err)
	}
	for _, r := range read(t, &cfg, len(accepted)) {
		delete(accepted, string(r.Key))
	}
	if len(accepted) > 0 {
		t.Errorf("lost %d accepted webhooks: %v", len(accepted), accepted)
	}
}

func TestOverTheWire(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.ReadTimeout = 300 * time.Millisecond
	s := start(t, cfg).waitReady()
	t.Run("10 MB", func(t *testing.T) {
		mustSend(t, signed(t, s.url, strings.Repeat("x", 10<<20)), http.StatusRequestEntityTooLarge)
	})
	t.Run("largest body", func(t *testing.T) {
		body := `{"id":"max","type":"t","data":{"object":{"id":"o"}},"x":"`
		body += strings.Repeat("x", int(cfg.MaxBodyBytes)-len(body)-2) + `"}`
		mustSend(t, signed(t, s.url, body), http.StatusAccepted)
	})
	t.Run("slow body", func(t *testing.T) {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) {
			t.Errorf("answered %q, error %v", answer, err)
		}
	})
	t.Run("slow headers", func(t *testing.T) {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "POST /webhooks/stripe HTTP/1.1\r\nHost:"); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("the connection was not closed: %v", err)
		}
	})
	t.Run("large headers", func(t *testing.T) {
		r := signed(t, s.url, "{}")
		r.Header.Set("X-Large", strings.Repeat("x", 64<<10))
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answered %d", res.StatusCode)
		}
	})
}
