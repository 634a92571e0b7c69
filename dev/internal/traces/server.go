// SPDX-License-Identifier: Apache-2.0

// Package traces receives OpenTelemetry traces, keeps the newest in memory, and
// shows them on a page, for those who have no Jaeger at hand.
package traces

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Server is the receiver and the page, on one listener.
type Server struct {
	*Store
	listener net.Listener
	http     *http.Server
	pointers atomic.Pointer[[]Pointer]
	told     atomic.Pointer[Tools]
	failed   chan error
}

// Pointer leads from the page to something else that is worth a look.
type Pointer struct{ Name, URL string }

// Tools are commands that take an id: of a dead letter, to show it, and of an event,
// to tell what became of it.
type Tools struct{ DeadLetter, Journey string }

// Listen starts a server. It answers nobody but this machine, for it asks for no
// password: another address than loopback is an error.
func Listen(ctx context.Context, address string) (*Server, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("traces page: %w", err)
	}
	if host, _, _ := net.SplitHostPort(ln.Addr().String()); !loopback(host) {
		_ = ln.Close()
		return nil, fmt.Errorf("traces page: %s can be reached from other machines, and the page asks for no password: use 127.0.0.1", address)
	}
	s := &Server{Store: NewStore(), listener: ln, failed: make(chan error, 1)}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	go func() { s.failed <- s.http.Serve(ln) }()
	return s, nil
}

// URL of the page, without a path.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Endpoint is where OTLP exporters send to.
func (s *Server) Endpoint() string { return s.URL() + exportPath }

// TraceURL is the page of one trace. Its path is Jaeger's.
func (s *Server) TraceURL(id string) string { return s.URL() + "/trace/" + id }

// Point shows pointers at the top of each page.
func (s *Server) Point(p ...Pointer) { s.pointers.Store(&p) }

// Tell has the pages of webhooks name these tools.
func (s *Server) Tell(t Tools) { s.told.Store(&t) }

func (s *Server) tools() Tools {
	if t := s.told.Load(); t != nil {
		return *t
	}
	return Tools{DeadLetter: "dlq show", Journey: "hookstream trace"}
}

// Close stops the server.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

const exportPath = "/v1/traces"

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+exportPath, s.receive)
	mux.HandleFunc("GET /{$}", s.list)
	mux.HandleFunc("GET /trace/{id}", s.trace)
	mux.Handle("GET /page/", http.FileServerFS(assets))
	return guard(mux)
}

// guard keeps other sites out: a page elsewhere must neither read this one, by a
// name that it makes point here, nor post to it.
func guard(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !loopback(hostOf(r.Host)) {
			http.Error(w, "open this page as localhost", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
