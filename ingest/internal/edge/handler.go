// SPDX-License-Identifier: Apache-2.0

// Package edge is the HTTP side of ingest: it verifies a webhook, finds its
// identity, has it written, and answers.
package edge

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/reason"
)

// DefaultTenant is whose the webhooks are that come without one in the path.
const DefaultTenant = "default"

// Keys finds the keys of a tenant's provider; none means that it is not
// configured.
type Keys interface {
	Keys(tenant, provider string) []verify.Key
}

// Producer writes a record and returns nil once it is stored for good.
type Producer interface {
	Produce(ctx context.Context, r *kgo.Record) error
}

// Config of a Handler.
type Config struct {
	Catalog  provider.Catalog
	Schemes  verify.Schemes
	Keys     Keys
	Producer Producer
	// RawTopic is where records go.
	RawTopic string
	// MaxBody is the largest body, in bytes.
	MaxBody int64
	// MaxInFlight bounds the requests that are worked on at once.
	MaxInFlight int
	// PublicURL replaces scheme and host of {url}; may be empty.
	PublicURL string
	Log       *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Handler answers POST /webhooks/{provider} and
// POST /webhooks/{tenant}/{provider}.
type Handler struct {
	cfg       Config
	providers map[string]*compiled
	slots     chan struct{}
	mux       *http.ServeMux
	metrics   *metrics
	tracer    trace.Tracer
}

// New compiles the definitions into a Handler.
func New(cfg Config) (*Handler, error) {
	m, err := newMetrics()
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Handler{
		cfg:       cfg,
		providers: make(map[string]*compiled, len(cfg.Catalog)),
		slots:     make(chan struct{}, cfg.MaxInFlight),
		mux:       http.NewServeMux(),
		metrics:   m,
		tracer:    otel.Tracer("github.com/hookstream/hookstream/ingest/edge"),
	}
	for name, def := range cfg.Catalog {
		h.providers[name] = compile(def, cfg.Schemes[name])
	}
	h.mux.HandleFunc("/webhooks/{provider}", h.answer(h.receive))
	h.mux.HandleFunc("/webhooks/{tenant}/{provider}", h.answer(h.receive))
	h.mux.HandleFunc("/", h.answer(func(*exchange) (*accepted, *refusal) { return nil, unknownEndpoint() }))
	return h, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// exchange is one request on its way to an answer.
type exchange struct {
	*http.Request
	// ctx carries the request's span.
	ctx           context.Context
	received      time.Time
	correlationID string
	traceID       string
	log           *slog.Logger
	// provider is unknownProvider until a definition was found, which bounds
	// the metric label; tenant is what the path says.
	provider, tenant string
}

// unknownProvider is the metric label of requests to a name without a
// definition.
const unknownProvider = "unknown"

// note logs a line about the exchange. Payloads and secrets never go into one.
func (x *exchange) note(level slog.Level, message string, attrs ...slog.Attr) {
	if !x.log.Enabled(x.ctx, level) {
		return
	}
	about := []slog.Attr{slog.String("correlation_id", x.correlationID), slog.String("provider", x.provider)}
	if x.tenant != "" {
		about = append(about, slog.String("tenant", x.tenant))
	}
	if x.traceID != "" {
		about = append(about, slog.String("trace_id", x.traceID))
	}
	x.log.LogAttrs(x.ctx, level, message, append(about, attrs...)...)
}

// accepted is the answer 202.
type accepted struct {
	EventID       string `json:"eventId"`
	CorrelationID string `json:"correlationId"`
	// Defect says why the webhook, though stored, will be dead-lettered.
	Defect reason.Code `json:"defect,omitempty"`
}

// receive takes one webhook from its headers to Kafka.
func (h *Handler) receive(x *exchange) (*accepted, *refusal) {
	if x.Method != http.MethodPost {
		return nil, refuse(methodNotAllowed, "send webhooks with POST").with("Allow", http.MethodPost)
	}
	tenant := x.PathValue("tenant")
	if tenant == "" {
		tenant = DefaultTenant
	}
	p, ok := h.providers[x.PathValue("provider")]
	if !ok {
		return nil, unknownEndpoint()
	}
	x.provider = p.def.Provider
	keys := h.cfg.Keys.Keys(tenant, p.def.Provider)
	if len(keys) == 0 {
		return nil, unknownEndpoint() // the same, so that it tells nobody which tenants there are
	}
	x.tenant = tenant
	data, refused := readBody(x.Request, h.cfg.MaxBody)
	if refused != nil {
		return nil, refused
	}
	req := request.New(x.Request, data, p.fields, h.cfg.PublicURL)
	key, err := p.scheme.Verify(req, keys, x.received)
	if err != nil {
		return nil, unverified(p, err)
	}
	return h.store(x, p, req, key)
}

// unverified tells the sender the cause and nothing about the secrets.
func unverified(p *compiled, err error) *refusal {
	r := refuse(invalidSignature, "%s", err.Error()).with("WWW-Authenticate", p.challenge)
	var cause *verify.Error
	if errors.As(err, &cause) {
		r.outcome = string(cause.Cause)
	}
	return r
}

// store writes a verified request, whatever is wrong with it otherwise. Key is
// the index of the secret that had signed it.
func (h *Handler) store(x *exchange, p *compiled, req *request.Request, key int) (*accepted, *refusal) {
	w, odd := p.webhook(req, x.correlationID)
	w.Tenant = x.tenant
	w.ReceivedAt = x.received
	if err := h.cfg.Producer.Produce(x.ctx, w.Record(h.cfg.RawTopic)); err != nil {
		r := refuse(notAcknowledged, "the webhook was verified but is not known to be stored; send it again").with("Retry-After", retryAfter)
		r.err = err
		return nil, r
	}
	id := slog.String("event_id", w.EventID)
	switch {
	case w.Defect != "":
		h.metrics.defect(x.ctx, w.Provider, w.Defect)
		x.note(slog.LevelWarn, "stored a webhook that cannot be processed; transform dead-letters it",
			id, slog.String("defect", string(w.Defect)), slog.Any("error", odd))
	case odd != nil:
		x.note(slog.LevelWarn, "stored a webhook whose time or sequence is not one; check identity.time and identity.sequence of the definition",
			id, slog.Any("error", odd))
	default:
		x.note(slog.LevelDebug, "accepted", id, slog.String("event_type", w.EventType), slog.Int("secret", key))
	}
	return &accepted{EventID: w.EventID, CorrelationID: x.correlationID, Defect: w.Defect}, nil
}
