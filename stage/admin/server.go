// SPDX-License-Identifier: Apache-2.0

package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/failure"
)

// Server is one of the listeners for operators. What it answers, Listen and
// ListenPprof say.
type Server struct {
	listener net.Listener
	mux      *http.ServeMux
	http     *http.Server
	// ready is the gauge of the health that the server tells; nil where it
	// tells none.
	ready metric.Registration
}

// Listen makes the server of /livez, /readyz and /metrics, and measures health until
// Serve ends. It opens the listener
// at once, so that a port in use is an error at start. An empty address means no
// server: Listen returns nil, which Serve and Address accept.
func Listen(ctx context.Context, address string, health *Health, log *slog.Logger) (*Server, error) {
	if address == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, failure.NewFatal("admin listener on %s: %w (set HOOKSTREAM_ADMIN_ADDRESS)", address, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", live)
	mux.HandleFunc("GET /readyz", health.ready)
	mux.Handle("GET /metrics", metrics())
	s := newServer(ln, mux, log)
	if s.ready, err = health.measure(); err != nil {
		_ = ln.Close() // nobody has used it
		return nil, fmt.Errorf("gauge of readiness: %w", err)
	}
	return s, nil
}

// metrics answers in OpenMetrics where the scraper asks for it: only that
// format has exemplars, which lead from a bucket to a trace.
func metrics() http.Handler {
	return promhttp.InstrumentMetricHandler(prometheus.DefaultRegisterer,
		promhttp.HandlerFor(prometheus.DefaultGatherer, promhttp.HandlerOpts{EnableOpenMetrics: true}))
}

func newServer(ln net.Listener, mux *http.ServeMux, log *slog.Logger) *Server {
	return &Server{listener: ln, mux: mux, http: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
}

// Handle adds a page of the service's own.
func (s *Server) Handle(pattern string, h http.Handler) {
	if s != nil {
		s.mux.Handle(pattern, h)
	}
}

// Address is where the server listens, or "".
func (s *Server) Address() string {
	if s == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Serve answers until ctx ends. The listener stays open while the service
// drains, so that its state can be seen: pass a context that ends after that.
func (s *Server) Serve(ctx context.Context) error {
	if s == nil {
		<-ctx.Done()
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = s.http.Close() }) // nothing to drain: probes try again
	defer stop()
	if s.ready != nil {
		defer func() { _ = s.ready.Unregister() }() // the process ends, or measures others
	}
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("admin listener on %s: %w", s.Address(), err)
	}
	return nil
}
