// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/auth"
)

// handler is the API.
type handler struct {
	ops      Operations
	callers  *auth.Authenticator
	runner   *runner
	metrics  *metrics
	log      *slog.Logger
	timeout  time.Duration
	requests chan struct{} // one place for each request in hand
	streams  chan struct{} // one place for each stream
	// simulations has one place for each request that runs definitions or a patch
	// over dead letters, and simulated is how many one may try.
	simulations chan struct{}
	simulated   int

	strangers strangers
	throttle  throttle
}

// route is one operation of the API.
type route struct {
	Method, Path string
	// Scope that it takes; "" where that depends.
	Scope auth.Scope
	// stream is set where the answer lasts, which has a limit of its own.
	stream bool
	serve  func(*http.Request, *auth.Caller) (answer, error)
}

// answer is sent by the middleware, so that a handler that fails half way has
// written nothing.
type answer interface {
	send(w http.ResponseWriter, r *http.Request)
}

func (h *handler) table() []route {
	return []route{
		{"GET", "/v1/dead-letters", auth.Read, false, h.list},
		{"GET", "/v1/dead-letters/{id...}", auth.Read, false, h.show},
		{"GET", "/v1/stats", auth.Read, false, h.stats},
		{"GET", "/v1/history", auth.Read, false, h.history},
		{"POST", "/v1/simulations", auth.Simulate, false, h.simulate},
		{"POST", "/v1/replays", auth.Replay, false, h.replay},
		{"GET", "/v1/replays/{id}/outcomes", auth.Read, false, h.outcomes},
		{"POST", "/v1/discards", auth.Discard, false, h.discard},
		{"POST", "/v1/undos", auth.Discard, false, h.undo},
		{"GET", "/v1/operations", auth.Read, false, h.operations},
		{"GET", "/v1/operations/{id}", auth.Read, false, h.operation},
		{"GET", "/v1/operations/{id}/events", auth.Read, true, h.events},
		{"POST", "/v1/operations/{id}/stop", "", false, h.stop},
	}
}

// Routes are the operations of the API and the scopes they take: METHOD PATH to
// scope, "" where that depends.
func Routes() map[string]auth.Scope {
	routes := map[string]auth.Scope{}
	for _, rt := range (&handler{}).table() {
		routes[rt.Method+" "+strings.ReplaceAll(rt.Path, "...", "")] = rt.Scope
	}
	return routes
}

func newHandler(h *handler) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range h.table() {
		methods[rt.Path] = append(methods[rt.Path], rt.Method)
		mux.Handle(rt.Method+" "+rt.Path, h.guard(&rt))
	}
	for path, allowed := range methods {
		mux.Handle(path, h.refuseMethod(path, allowed))
	}
	mux.Handle("/", h.measured("other", func(w http.ResponseWriter, r *http.Request) {
		refuse(notFound, "the API has no %s; docs/openapi-dlq.yaml has all paths", r.URL.EscapedPath()).write(w, r)
	}))
	return mux
}

// refuseMethod answers for paths that exist with methods that do not. GET
// routes answer HEAD too.
func (h *handler) refuseMethod(path string, allowed []string) http.Handler {
	if slices.Contains(allowed, http.MethodGet) {
		allowed = append(allowed, http.MethodHead)
	}
	return h.measured(path, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(methodNotAllowed, "use %s", strings.Join(allowed, " or ")).write(w, r)
	})
}

// guard is what comes before every route: who it is, what they may, whether
// there is room, and how long it may take.
func (h *handler) guard(rt *route) http.Handler {
	return h.measured(rt.Path, func(w http.ResponseWriter, r *http.Request) {
		a, err := h.answer(w, rt, r)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		a.send(w, r)
	})
}

func (h *handler) answer(w http.ResponseWriter, rt *route, r *http.Request) (answer, error) {
	caller, err := h.callers.Caller(r.Context(), r)
	if err != nil {
		return nil, err
	}
	if rt.Scope != "" && !caller.May(rt.Scope) {
		return nil, h.forbid(r, caller, rt.Scope)
	}
	if err := readBody(w, r); err != nil {
		return nil, err
	}
	if rt.stream {
		return rt.serve(r, caller)
	}
	select {
	case h.requests <- struct{}{}:
		defer func() { <-h.requests }()
	default:
		return nil, refuse(overloaded, "%d requests are in hand (HOOKSTREAM_DLQ_MAX_IN_FLIGHT); try again", cap(h.requests))
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	return rt.serve(r.WithContext(ctx), caller)
}

// readBody reads all of a request before it takes a place, and ends the limit of
// the reading: net/http would take it for the client's going away.
func readBody(w http.ResponseWriter, r *http.Request) error {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return refuse(tooLarge, "the body is larger than %d KiB; select by a filter, or send several requests", large.Limit>>10)
	case err != nil:
		return InvalidError{errors.New("the body did not arrive")}
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// refuse answers with the problem that an error is.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var p *refusal
	var invalid InvalidError
	switch {
	case errors.As(err, &p):
	case errors.As(err, &invalid):
		p = refuse(invalidRequest, "%w", invalid)
	case errors.Is(err, auth.ErrMissing), errors.Is(err, auth.ErrInvalid):
		p = refuse(unauthorized, "%w", err)
	case errors.Is(err, ErrNotFound):
		p = refuse(notFound, "%w", err)
	case errors.Is(err, context.DeadlineExceeded):
		p = refuse(unavailable, "it took longer than %s (HOOKSTREAM_DLQ_REQUEST_TIMEOUT); every request reads the whole topic", h.timeout)
	default:
		p = refuse(unavailable, "%w", err)
	}
	if errors.Is(err, auth.ErrInvalid) {
		if wait, ok := h.throttled(r); ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			p = refuse(tooManyAttempts, "too many wrong tokens came from this address; a right one works at once")
			h.unknown(r, err)
		}
	}
	switch p.Slug {
	case unauthorized.Slug:
		challenge(w, errors.Is(err, auth.ErrInvalid))
		h.unknown(r, err)
	case unavailable.Slug:
		h.log.WarnContext(r.Context(), "a request failed", "method", r.Method, "path", r.URL.Path, "error", err, correlatedWith(r.Context()))
	}
	p.write(w, r)
}

// challenge is RFC 6750, section 3.
func challenge(w http.ResponseWriter, invalid bool) {
	c := `Bearer realm="dlq"`
	if invalid {
		c += `, error="invalid_token"`
	}
	w.Header().Set("WWW-Authenticate", c)
}

// document is an answer in JSON.
type document struct {
	status   int
	location string
	body     any
}

func ok(body any) (answer, error) { return document{status: http.StatusOK, body: body}, nil }

func (d document) send(w http.ResponseWriter, r *http.Request) {
	data, err := json.Marshal(d.body)
	if err != nil { // all of it is made to be JSON
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)+1))
	if d.location != "" {
		h.Set("Location", d.location)
	}
	w.WriteHeader(d.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(append(data, '\n')) // the client has gone; nobody is left to tell
	}
}

// measured counts the answers of a route and sets what all requests and answers
// have.
func (h *handler) measured(path string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		s := &statusWriter{ResponseWriter: w}
		next(s, correlated(s, r))
		h.metrics.answered(r.Context(), path, s.status, time.Since(begin))
	})
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
