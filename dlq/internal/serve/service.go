// SPDX-License-Identifier: Apache-2.0

// Package serve offers what the command line does over HTTP, to callers that it
// knows, and measures the dead letters that are open.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/dlq/internal/backlog"
	"github.com/hookstream/hookstream/stage/admin"
	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
)

// The parts of readiness.
const (
	partKafka  = "kafka"
	partServer = "server"
)

// Service is one instance.
type Service struct {
	cfg      Config
	common   service.Common
	kafka    *kafka.Config
	ops      Operations
	log      *slog.Logger
	health   *admin.Health
	admin    *admin.Server
	callers  *auth.Authenticator
	metrics  *metrics
	backlog  *backlog.Backlog
	listener net.Listener
	// certificate is nil where TLS ends elsewhere.
	certificate *certificate
}

// New checks the configuration, reads the tokens and opens the listeners, so
// that Address is known. It connects to nothing.
func New(cfg Config, common service.Common, k *kafka.Config, ops Operations, log *slog.Logger) (*Service, error) {
	if err := errors.Join(cfg.Validate(), k.Validate()); err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	s := &Service{
		cfg: cfg, common: common, kafka: k, ops: ops, log: log,
		health: admin.NewHealth("dlq", partKafka, partServer), backlog: backlog.New(cfg.MaxIndexed),
	}
	var err error
	if s.callers, err = cfg.authenticator(log); err != nil {
		return nil, failure.NewFatal("configuration: %w", err)
	}
	if s.metrics, err = newMetrics(); err != nil {
		return nil, err
	}
	if s.listener, err = s.listen(context.Background()); err != nil {
		return nil, err
	}
	if s.admin, err = admin.Listen(context.Background(), common.AdminAddress, s.health, log); err != nil {
		_ = s.listener.Close() // nobody has used it
		return nil, err
	}
	return s, nil
}

func (s *Service) listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.Address)
	if err != nil {
		return nil, failure.NewFatal("listener on %s: %w (set HOOKSTREAM_DLQ_ADDRESS)", s.cfg.Address, err)
	}
	if s.cfg.TLSCert == "" {
		return l, nil
	}
	if s.certificate, err = loadCertificate(s.cfg.TLSCert, s.cfg.TLSKey, s.log); err != nil {
		_ = l.Close() // nobody has used it
		return nil, failure.NewFatal("configuration: %w", err)
	}
	return tls.NewListener(l, s.certificate.tls()), nil
}

// Address is where the API is: host and port.
func (s *Service) Address() string { return s.listener.Addr().String() }

// AdminAddress is where /livez, /readyz and /metrics are, or "".
func (s *Service) AdminAddress() string { return s.admin.Address() }

// Run answers until ctx ends. A change that is being carried out then stops
// after its transactions in hand; the same request resumes it.
func (s *Service) Run(ctx context.Context) error {
	unmeasure, err := s.backlog.Measure(time.Now)
	if err != nil {
		return err
	}
	return errors.Join(service.Serve(ctx, s.admin, s.work), unmeasure())
}

func (s *Service) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	r := &runner{ctx: ctx, log: s.log, now: time.Now, byID: map[string]*operation{}}
	server := s.server(r)
	g.Go(func() error { return s.backlog.Follow(ctx, s.kafka, s.log, s.health.Reporter(partKafka)) })
	if s.callers.Tokens != nil {
		g.Go(func() error { return s.callers.Tokens.Run(ctx) })
	}
	if s.certificate != nil {
		g.Go(func() error { return s.certificate.Run(ctx) })
	}
	g.Go(func() error {
		if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("listener on %s: %w", s.Address(), err)
		}
		return nil
	})
	g.Go(func() error {
		s.health.Set(partServer, true, "")
		s.log.InfoContext(ctx, "listening", "address", s.Address())
		<-ctx.Done()
		s.drain(ctx, server, r)
		return nil
	})
	return g.Wait()
}

const (
	readTimeout = 15 * time.Second
	writeSlack  = 10 * time.Second
)

func (s *Service) server(r *runner) *http.Server {
	return &http.Server{
		Handler: newHandler(&handler{
			ops: s.ops, callers: s.callers, runner: r, metrics: s.metrics, log: s.log, timeout: s.cfg.RequestTimeout,
			requests: make(chan struct{}, s.cfg.MaxInFlight), streams: make(chan struct{}, s.cfg.MaxStreams),
			simulations: make(chan struct{}, s.cfg.MaxSimulations), simulated: s.cfg.MaxSimulated,
		}),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + s.cfg.RequestTimeout + writeSlack,
		IdleTimeout:       75 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// drain ends readiness, waits for the requests in hand and for the transactions
// of the change in hand.
func (s *Service) drain(ctx context.Context, server *http.Server, r *runner) {
	s.health.Set(partServer, false, "draining")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.common.DrainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.log.WarnContext(ctx, "requests were cut off; raise HOOKSTREAM_DRAIN_TIMEOUT", "error", err)
		_ = server.Close() // they have had their time
	}
	r.wg.Wait() // a transaction has its own limit
}
