// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/ingest/internal/certificate"
	"github.com/hookstream/hookstream/ingest/internal/edge"
	"github.com/hookstream/hookstream/ingest/internal/limit"
	"github.com/hookstream/hookstream/ingest/internal/network"
	"github.com/hookstream/hookstream/stage/failure"
)

const (
	// maxHeaderBytes is what net/http reads of a request's head. It answers a larger
	// one in plain text, so the edge itself refuses one of half the size.
	maxHeaderBytes = 2 * edge.MaxHeaderBytes
	// idleTimeout is longer than common load balancers keep a connection, so
	// that they close it, not we under a request on its way.
	idleTimeout = 75 * time.Second
	// writeSlack is for the answer itself.
	writeSlack = 5 * time.Second
)

// server is the listener for webhooks.
type server struct {
	listener net.Listener
	http     *http.Server
	// certificate is nil for plain HTTP.
	certificate *certificate.Source
	leaving     atomic.Bool
}

// listen opens the listener at once, so that its address is known and a port in
// use is an error at start.
func listen(ctx context.Context, cfg *Config, intake *limit.Intake, handler http.Handler, log *slog.Logger) (*server, error) {
	proxies, err := cfg.proxies()
	if err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	s := &server{}
	s.http = &http.Server{
		Handler:           s.leave(proxies.Handler(intake.Bodies(handler))),
		ConnContext:       intake.Opened,
		ConnState:         intake.Changed,
		ReadHeaderTimeout: min(cfg.HeaderTimeout, cfg.ReadTimeout),
		ReadTimeout:       cfg.ReadTimeout,
		// Counted from the end of the headers: the body, the wait for Kafka
		// and the answer.
		WriteTimeout:   cfg.ReadTimeout + cfg.ProduceTimeout + writeSlack,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(calm{log.Handler()}, slog.LevelWarn),
		// A connection has one request at a time, which is what bounds the
		// requests that connections can hold. Senders gain nothing by HTTP/2.
		Protocols: new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	if cfg.TLSCert != "" {
		files := certificate.Files{Cert: cfg.TLSCert, Key: cfg.TLSKey, ClientCA: cfg.ClientCA}
		if s.certificate, err = certificate.Load(files, log); err != nil {
			return nil, failure.NewFatal("configuration: %w", err)
		}
		s.http.TLSConfig = s.certificate.TLS()
	}
	var lc net.ListenConfig
	if s.listener, err = lc.Listen(ctx, "tcp", cfg.Address); err != nil {
		return nil, failure.NewFatal("listener on %s: %w (set HOOKSTREAM_ADDRESS)", cfg.Address, err)
	}
	if cfg.ProxyProtocol {
		s.listener = network.ProxyProtocol(s.listener, proxies.Trusted, s.http.ReadHeaderTimeout)
	}
	return s, nil
}

// calm lowers what anybody who scans the internet can cause: a log is not theirs
// to fill.
type calm struct{ slog.Handler }

// Handle implements slog.Handler.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "http: TLS handshake error") {
		if r.Level = slog.LevelDebug; !c.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return c.Handler.Handle(ctx, r)
}

// leave has senders close their connections while we are about to end, so that
// none is on its way when the listener closes.
func (s *server) leave(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.leaving.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// serve answers until drain.
func (s *server) serve(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	if s.certificate != nil {
		g.Go(func() error { return s.certificate.Run(gctx) })
	}
	g.Go(func() error {
		var err error
		if s.certificate != nil {
			err = s.http.ServeTLS(s.listener, "", "")
		} else {
			err = s.http.Serve(s.listener)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("listener on %s: %w", s.listener.Addr(), err)
		}
		return nil
	})
	return g.Wait()
}

// drain goes on serving for the delay, then stops listening and waits for the
// requests in hand until ctx ends.
func (s *server) drain(ctx context.Context, delay time.Duration) error {
	s.leaving.Store(true)
	select {
	case <-time.After(delay):
	case <-ctx.Done():
	}
	err := s.http.Shutdown(ctx)
	if err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}
