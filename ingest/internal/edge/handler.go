// SPDX-License-Identifier: Apache-2.0

// Package edge is the HTTP side of ingest: it verifies a webhook, finds its
// identity, has it written, and answers.
package edge

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/record"
)

// DefaultTenant is whose the webhooks are that come without one in the path.
const DefaultTenant = "default"

// Handler answers /webhooks/{provider} and /webhooks/{tenant}/{provider}.
type Handler struct {
	cfg Config
	// slots bound the requests that are verified and written at once. Those
	// whose body is still on its way hold none: slow senders stop nobody.
	slots chan struct{}
	mux   *http.ServeMux
	// elsewhere refuses what no endpoint is to see.
	elsewhere http.HandlerFunc
	metrics   *metrics
	tracer    trace.Tracer
	lines     *sampler
}

// New makes a Handler.
func New(cfg Config) (*Handler, error) {
	m, err := newMetrics()
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Handler{
		cfg:     cfg,
		slots:   make(chan struct{}, cfg.MaxInFlight),
		mux:     http.NewServeMux(),
		metrics: m,
		tracer:  otel.Tracer("github.com/hookstream/hookstream/ingest/edge"),
		lines:   newSampler(),
	}
	h.answer("/webhooks/{provider}", h.receive)
	h.answer("/webhooks/{tenant}/{provider}", h.receive)
	h.elsewhere = h.answer("/", func(x *exchange) (*reply, *refusal) {
		if headerBytes(x.Request) > MaxHeaderBytes {
			return nil, headerTooLarge()
		}
		return nil, unknownEndpoint()
	})
	return h, nil
}

// ServeHTTP implements http.Handler. A path with empty or dot segments, which
// http.ServeMux would redirect, is no endpoint: no sender follows a redirect.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if oddPath(r) || headerBytes(r) > MaxHeaderBytes {
		h.elsewhere(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

func oddPath(r *http.Request) bool {
	p := r.URL.Path
	return r.Method == http.MethodConnect || p == "" || p[0] != '/' || strings.Contains(p, "//") || strings.Contains(p, "/.")
}

// exchange is one request on its way to an answer.
type exchange struct {
	*http.Request
	// ctx carries the request's span.
	ctx           context.Context
	received      time.Time
	correlationID string
	log           *slog.Logger
	// provider is unknownProvider until a definition was found, which bounds
	// the metric label. The tenant is what the path says, until settle.
	provider, tenant string
	// settled is set once the request was verified and it is known whose it is:
	// no answer names a tenant or an event before. The webhook is then the only
	// one of the request, or nil.
	settled bool
	webhook *record.Webhook

	setup    *Setup
	compiled *compiled
	keys     []verify.Key
	// memory is what the body took of Config.Memory, in bytes.
	memory int64
}

// unknownProvider is the metric label of requests to a name without a
// definition.
const unknownProvider = "unknown"

// note logs a line about the exchange. Payloads and secrets never go into one.
func (x *exchange) note(level slog.Level, message string, attrs ...slog.Attr) {
	x.noteOf(x.webhook, level, message, attrs...)
}

// noteOf is note about one webhook of the exchange; nil is the request as a whole.
func (x *exchange) noteOf(w *record.Webhook, level slog.Level, message string, attrs ...slog.Attr) {
	if !x.log.Enabled(x.ctx, level) {
		return
	}
	about := []slog.Attr{slog.String("correlation_id", x.correlationID), slog.String("provider", x.provider)}
	tenant := x.tenant
	if w != nil {
		tenant = w.Tenant
		about = append(about, slog.String("event_id", w.EventID))
	}
	if tenant != "" {
		about = append(about, slog.String("tenant", tenant))
	}
	if id := traceID(x.ctx); id != "" {
		about = append(about, slog.String("trace_id", id))
	}
	x.log.LogAttrs(x.ctx, level, message, append(about, attrs...)...)
}

// receive takes one request from its headers to its answer. What costs least
// comes first, so that a flood is shed before it costs anything.
func (h *Handler) receive(x *exchange) (*reply, *refusal) {
	if refused := h.admit(x); refused != nil {
		return nil, refused
	}
	defer h.releaseMemory(x)
	data, refused := h.readBody(x)
	if refused != nil {
		return nil, refused
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		return nil, h.overloaded()
	}
	return h.work(x, request.New(x.Request, data, x.compiled.fields, h.publicURL(x)))
}

// admit finds whom the request is for and whether there is room for it.
func (h *Handler) admit(x *exchange) *refusal {
	x.tenant = x.PathValue("tenant")
	if x.tenant == "" {
		x.tenant = DefaultTenant
	}
	x.setup = h.cfg.Setup()
	p, ok := x.setup.providers[x.PathValue("provider")]
	if !ok {
		x.tenant = ""
		return unknownEndpoint()
	}
	x.provider, x.compiled = p.def.Provider, p
	x.keys = x.setup.keys.Keys(x.tenant, x.provider)
	if len(x.keys) == 0 && !h.captures(x) {
		x.tenant = ""
		return unknownEndpoint() // the same, so that it tells nobody which tenants there are
	}
	if h.cfg.Networks != nil && !h.cfg.Networks.Allows(x.tenant, x.provider, x.RemoteAddr) {
		return refuse(forbidden, "webhooks of this tenant and provider are not taken from %s", x.RemoteAddr)
	}
	if !slices.Contains(p.methods, x.Method) {
		return p.methodNotAllowed()
	}
	if h.cfg.Limiter != nil {
		if wait, ok := h.cfg.Limiter.Allow(x.tenant, x.provider, p.verifier.Cost()); !ok {
			return refuse(rateLimited, "too many requests for this tenant and provider; send it again later").with("Retry-After", seconds(wait))
		}
	}
	if len(h.slots) == cap(h.slots) {
		return h.overloaded() // without reading a body that has no chance
	}
	return nil
}

func (h *Handler) overloaded() *refusal {
	return refuse(overloaded, "%d requests are being worked on; send it again later", cap(h.slots)).with("Retry-After", retryAfter)
}

// publicURL is what the sender calls the endpoint, where it is known.
func (h *Handler) publicURL(x *exchange) string {
	if len(h.cfg.PublicURLs) > 0 {
		if url, ok := h.cfg.PublicURLs[x.tenant+"/"+x.provider]; ok {
			return url
		}
	}
	return h.cfg.PublicURL
}

// work answers a request that was read.
func (h *Handler) work(x *exchange, req *request.Request) (*reply, *refusal) {
	if r, refused := h.handshake(x, req, true); r != nil || refused != nil {
		return r, refused
	}
	switch {
	case len(x.keys) == 0:
		return nil, unknownEndpoint()
	case !slices.Contains(x.compiled.def.Methods, x.Method):
		return nil, x.compiled.methodNotAllowed()
	}
	webhooks, proof, refused := h.genuine(x, req)
	if refused != nil {
		return nil, refused
	}
	if r, refused := h.handshake(x, req, false); r != nil || refused != nil {
		return r, refused
	}
	return h.store(x, req, webhooks, proof)
}
