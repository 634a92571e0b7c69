// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
)

// noon is the clock of every test.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 123456000, time.UTC)

const (
	stripeSecret = "whsec_stripe"
	githubSecret = "github"
	shopSecret   = "shopify"
	// acmeSecret belongs to another tenant.
	acmeSecret = "whsec_acme"
)

// kept is a Producer that keeps what it is given, or fails.
type kept struct {
	mu      sync.Mutex
	records []*kgo.Record
	err     error
	// hold, where set, blocks every request until it is closed.
	hold chan struct{}
}

func (k *kept) ProduceAll(_ context.Context, records []*kgo.Record) error {
	if k.hold != nil {
		<-k.hold
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.records = append(k.records, records...)
	}
	return k.err
}

// last reads the newest record back as transform will.
func (k *kept) last(t *testing.T) *record.Webhook {
	t.Helper()
	all := k.all(t)
	if len(all) == 0 {
		t.Fatal("nothing was produced")
	}
	return all[len(all)-1]
}

// all reads every record back as transform will.
func (k *kept) all(t *testing.T) []*record.Webhook {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]*record.Webhook, len(k.records))
	for i, r := range k.records {
		var err error
		if out[i], err = record.ParseWebhook(r); err != nil {
			t.Fatalf("transform could not read the record: %v", err)
		}
	}
	return out
}

func (k *kept) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.records)
}

// world is an edge without a broker.
type world struct {
	*Handler
	kept *kept
	log  *bytes.Buffer
}

// secrets are those of newWorld.
var secrets = fmt.Sprintf("default/stripe=%s;default/github=%s;default/shopify=%s;acme/stripe=%s",
	stripeSecret, githubSecret, shopSecret, acmeSecret)

// newWorld has the built-in definitions.
func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	catalog, err := provider.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOf(t, catalog, secrets, change...)
}

// newWorldOf has the definitions of a catalog, and secrets as HOOKSTREAM_SECRETS
// writes them.
func newWorldOf(t testing.TB, catalog provider.Catalog, secrets string, change ...func(*Config)) *world {
	t.Helper()
	w := &world{kept: &kept{}, log: &bytes.Buffer{}}
	cfg := Config{
		Producer: w.kept,
		RawTopic: "hookstream.raw", MaxBody: 1 << 20, MaxInFlight: 8,
		Log: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: func() time.Time { return noon },
	}
	for _, c := range change {
		c(&cfg)
	}
	if cfg.Setup == nil {
		cfg.Setup = Fixed(setupOf(t, catalog, secrets))
	}
	var err error
	if w.Handler, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func setupOf(t testing.TB, catalog provider.Catalog, secrets string) *Setup {
	t.Helper()
	verifiers, err := verify.CompileAll(catalog, verify.Trust{})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := secret.Load("", secret.Secret(secrets))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := verify.NewKeyring(entries, verifiers, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewSetup(catalog, verifiers, keys)
}

// define parses one definition.
func define(t testing.TB, name, yaml string) provider.Catalog {
	t.Helper()
	def, err := provider.Parse(name+".yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return provider.Catalog{name: def}
}

// do answers one request.
func (w *world) do(r *http.Request) *answered {
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	a := &answered{ResponseRecorder: rec}
	a.bad = json.Unmarshal(rec.Body.Bytes(), &a.body)
	return a
}

type answered struct {
	*httptest.ResponseRecorder
	body struct {
		EventID, CorrelationID, Defect, Tenant string
		Type, Title, Detail, Instance, Trace   string
		Status                                 int
	}
	bad error
}

// expect checks what every answer must have.
func (a *answered) expect(t *testing.T, status int, slug string) {
	t.Helper()
	if a.Code != status {
		t.Fatalf("got %d, want %d: %s", a.Code, status, a.Body)
	}
	if a.bad != nil {
		t.Fatalf("the answer is not JSON: %v: %s", a.bad, a.Body)
	}
	if a.body.CorrelationID == "" || a.body.CorrelationID != a.Header().Get("X-Correlation-Id") {
		t.Errorf("correlation id %q in the body and %q in the header", a.body.CorrelationID, a.Header().Get("X-Correlation-Id"))
	}
	if slug == "" {
		return
	}
	if ct := a.Header().Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type %q", ct)
	}
	if !strings.HasSuffix(a.body.Type, "#"+slug) || a.body.Status != status || a.body.Title == "" || a.body.Detail == "" || a.body.Instance == "" {
		t.Errorf("got the problem %s, want a complete one of type %s", a.Body, slug)
	}
}

func sum(key, message string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(message))
	return m.Sum(nil)
}

func post(target, body string) *http.Request {
	return httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
}

func stripeSignature(key, body string, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(sum(key, t+"."+body))
}

func stripe(body string) *http.Request {
	r := post("/webhooks/stripe", body)
	r.Header.Set("Stripe-Signature", stripeSignature(stripeSecret, body, noon))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

func github(body string) *http.Request {
	r := post("/webhooks/github", body)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(sum(githubSecret, body)))
	m := hmac.New(sha1.New, []byte(githubSecret))
	m.Write([]byte(body))
	r.Header.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(m.Sum(nil)))
	r.Header.Set("X-GitHub-Event", "issues")
	r.Header.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	r.Header.Set("X-GitHub-Hook-ID", "292430182")
	return r
}

func shopify(body string) *http.Request {
	r := post("/webhooks/shopify", body)
	r.Header.Set("X-Shopify-Hmac-Sha256", base64.StdEncoding.EncodeToString(sum(shopSecret, body)))
	r.Header.Set("X-Shopify-Topic", "orders/create")
	r.Header.Set("X-Shopify-Event-Id", "98880550-7158-44d4-b7cd-2c97c8a091b5")
	return r
}

const stripeBody = `{"id":"evt_1","type":"customer.created","created":1767268800,"data":{"object":{"id":"cus_1"}}}`

// slowBody breaks off with an error after some bytes.
type slowBody struct {
	io.Reader
	err error
}

func (s *slowBody) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err == io.EOF {
		err = s.err
	}
	return n, err
}

// readAll reads a request's body and puts it back.
func readAll(t *testing.T, r *http.Request) string {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return string(data)
}
