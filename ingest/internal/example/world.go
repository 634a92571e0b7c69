// SPDX-License-Identifier: Apache-2.0

package example

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/record"
)

// maxBody is the largest body of an example, in bytes.
const maxBody = 1 << 20

// world is an edge for one definition, without Kafka.
type world struct {
	handler  *edge.Handler
	produced produced
	verifier *verify.Verifier
	keys     []verify.Key
}

func newWorld(def *provider.Definition, e *Example, tenant string) (*world, error) {
	catalog := provider.Catalog{def.Provider: def}
	roots, err := e.roots()
	if err != nil {
		return nil, e.problem(path{"certificate"}, "%v", err)
	}
	verifiers, err := verify.CompileAll(catalog, verify.Trust{Fetcher: served{def, e}, Roots: roots})
	if err != nil {
		return nil, err
	}
	weaker := verify.Weaker{def.Provider: e.Weaker}
	if err := weaker.Check(verifiers); err != nil {
		return nil, e.problem(path{"weaker"}, "%v", err)
	}
	keys, err := verify.NewKeyring(e.secrets(tenant, def.Provider), verifiers, weaker.Allows)
	if err != nil {
		return nil, e.problem(path{"secret"}, "%v", err)
	}
	w := &world{verifier: verifiers[def.Provider], keys: keys.Keys(tenant, def.Provider)}
	w.handler, err = edge.New(edge.Config{
		Setup: edge.Fixed(edge.NewSetup(catalog, verifiers, keys)), Producer: &w.produced, Capturer: capturer{e},
		RawTopic: "raw", MaxBody: maxBody, MaxInFlight: 1,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return e.At },
	})
	return w, err
}

// secrets are those of the example's pair.
func (e *Example) secrets(tenant, providerName string) []secret.Entry {
	pair := secret.Pair{Tenant: tenant, Provider: providerName}
	var entries []secret.Entry
	for _, s := range e.Secrets {
		entries = append(entries, secret.Entry{Pair: pair, Secret: secret.Secret(s), Origin: "secret"})
	}
	if e.VerifyToken != "" {
		entries = append(entries, secret.Entry{Pair: pair, Secret: secret.Secret(e.VerifyToken), VerifyToken: true, Origin: "verify_token"})
	}
	return entries
}

// roots trusts the last certificate of the example.
func (e *Example) roots() (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	var last *pem.Block
	for block, rest := pem.Decode([]byte(e.Certificate)); block != nil; block, rest = pem.Decode(rest) {
		last = block
	}
	if last == nil {
		if e.Certificate != "" {
			return nil, errors.New("is not PEM")
		}
		return pool, nil
	}
	root, err := x509.ParseCertificate(last.Bytes)
	if err == nil {
		pool.AddCert(root)
	}
	return pool, err
}

// served is the internet as far as the example knows it.
type served struct {
	def *provider.Definition
	e   *Example
}

// Fetch implements verify.Fetcher.
func (s served) Fetch(_ context.Context, url string) ([]byte, error) {
	doc := s.e.Certificate
	for i := range s.def.Verify {
		if jwt := s.def.Verify[i].JWT; jwt != nil && jwt.Keys == url {
			doc = s.e.Keys
		}
	}
	if doc == "" {
		return nil, errors.New("the example gives neither certificate nor keys")
	}
	return []byte(doc), nil
}

// Refresh implements verify.Fetcher.
func (s served) Refresh(ctx context.Context, url string) ([]byte, error) { return s.Fetch(ctx, url) }

// capturer takes secrets as long as the example configures none.
type capturer struct{ e *Example }

// Captures implements edge.Capturer.
func (c capturer) Captures(string, string) bool { return len(c.e.Secrets) == 0 }

// Capture implements edge.Capturer.
func (capturer) Capture(string, string, string) error { return nil }

// httpRequest is the request as a server behind TLS gets it.
func (e *Example) httpRequest(def *provider.Definition) (*http.Request, error) {
	method, text := e.Request.Method, e.Request.URL
	if method == "" {
		method = http.MethodPost
	}
	if text == "" {
		text = "https://hooks.example.com/webhooks/" + def.Provider
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, e.problem(path{"request", "url"}, "%q is not an absolute URL", text)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, text, bytes.NewReader(e.Request.body()))
	if err != nil {
		return nil, e.problem(path{"request"}, "%v", err)
	}
	for name, values := range e.Request.Headers {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	r.RequestURI, r.RemoteAddr = u.RequestURI(), "192.0.2.1:443"
	return r, nil
}

// tenantOf is the tenant that the path names.
func tenantOf(r *http.Request) string {
	tenant, _, named := strings.Cut(strings.TrimPrefix(r.URL.Path, "/webhooks/"), "/")
	if !named {
		tenant = ""
	}
	return tenantOr(tenant)
}

func tenantOr(tenant string) string {
	if tenant == "" {
		return edge.DefaultTenant
	}
	return tenant
}

// produced keeps what the edge stores.
type produced struct{ records []*kgo.Record }

// ProduceAll implements edge.Producer. The edge works on one request here.
func (p *produced) ProduceAll(_ context.Context, records []*kgo.Record) error {
	p.records = append(p.records, records...)
	return nil
}

// webhooks reads the records back as transform does.
func (p *produced) webhooks() ([]*record.Webhook, error) {
	var all []*record.Webhook
	for _, r := range p.records {
		w, err := record.ParseWebhook(r)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// response is what the edge answers. (net/http/httptest has one, and flags that
// a production program should not have.)
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *response) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}
