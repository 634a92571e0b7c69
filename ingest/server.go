// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
)

const (
	// maxHeaderBytes bounds all headers of a request, and so what of them
	// can end up on a record.
	maxHeaderBytes = 16 << 10
	headerTimeout  = 5 * time.Second
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
}

// listen opens the listener at once, so that its address is known and a port in
// use is an error at start.
func listen(ctx context.Context, cfg *Config, handler http.Handler, log *slog.Logger) (*server, error) {
	s := &server{http: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: min(headerTimeout, cfg.ReadTimeout),
		ReadTimeout:       cfg.ReadTimeout,
		// Counted from the end of the headers: the body, the wait for Kafka
		// and the answer.
		WriteTimeout:   cfg.ReadTimeout + cfg.ProduceTimeout + writeSlack,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
	if cfg.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return nil, failure.NewFatal("HOOKSTREAM_TLS_CERT_FILE and HOOKSTREAM_TLS_KEY_FILE: %w", err)
		}
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	var lc net.ListenConfig
	var err error
	if s.listener, err = lc.Listen(ctx, "tcp", cfg.Address); err != nil {
		return nil, failure.NewFatal("listener on %s: %w (set HOOKSTREAM_ADDRESS)", cfg.Address, err)
	}
	return s, nil
}

// serve answers until drain.
func (s *server) serve() error {
	var err error
	if s.http.TLSConfig != nil {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("listener on %s: %w", s.listener.Addr(), err)
	}
	return nil
}

// drain stops listening and waits for the requests in hand until ctx ends.
func (s *server) drain(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}
