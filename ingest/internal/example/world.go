// SPDX-License-Identifier: Apache-2.0

package example

import (
	"bytes"
	"context"
	"crypto/tls"
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
}

func newWorld(def *provider.Definition, e *Example, tenant string) (*world, error) {
	catalog := provider.Catalog{def.Provider: def}
	schemes, err := verify.CompileAll(catalog)
	if err != nil {
		return nil, err
	}
	keys, err := verify.NewKeyring(e.secrets(tenant, def.Provider), schemes)
	if err != nil {
		return nil, err
	}
	w := &world{}
	w.handler, err = edge.New(edge.Config{
		Catalog: catalog, Schemes: schemes, Keys: keys, Producer: &w.produced,
		RawTopic: "raw", MaxBody: maxBody, MaxInFlight: 1,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return e.At },
	})
	return w, err
}

// secrets are those of the example's pair.
func (e *Example) secrets(tenant, providerName string) []secret.Entry {
	var entries []secret.Entry
	for _, s := range e.Secrets {
		entries = append(entries, secret.Entry{
			Pair: secret.Pair{Tenant: tenant, Provider: providerName}, Secret: secret.Secret(s), Origin: "secret",
		})
	}
	return entries
}

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
		return nil, e.problem("request.url", "%q is not an absolute URL", text)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, text, bytes.NewReader(e.Request.body()))
	if err != nil {
		return nil, e.problem("request", "%v", err)
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

// Produce implements edge.Producer. The edge works on one request here.
func (p *produced) Produce(_ context.Context, r *kgo.Record) error {
	p.records = append(p.records, r)
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
