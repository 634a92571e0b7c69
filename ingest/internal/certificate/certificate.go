// SPDX-License-Identifier: Apache-2.0

// Package certificate serves TLS with files that may change while it runs.
package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// every is how often the files are looked at.
const every = 10 * time.Second

// Files are PEM files.
type Files struct {
	Cert, Key string
	// ClientCA signed the certificates of clients that have one; may be empty.
	ClientCA string
}

// Source is the TLS configuration of the files as they last were in order.
type Source struct {
	files   Files
	log     *slog.Logger
	current atomic.Pointer[tls.Config]
	every   time.Duration
	// seen is what the files held when they were last looked at.
	seen contents
}

// contents are the files' bytes.
type contents struct{ cert, key, clientCA []byte }

func (c contents) equal(d contents) bool {
	return bytes.Equal(c.cert, d.cert) && bytes.Equal(c.key, d.key) && bytes.Equal(c.clientCA, d.clientCA)
}

// Load reads the files.
func Load(files Files, log *slog.Logger) (*Source, error) {
	s := &Source{files: files, log: log, every: every}
	var err error
	if s.seen, err = files.read(); err != nil {
		return nil, err
	}
	config, err := s.seen.config()
	if err != nil {
		return nil, err
	}
	s.current.Store(config)
	return s, s.measure()
}

// measure tells when the certificate in force ends: a change that was refused
// leaves the one before, which its file no longer shows.
func (s *Source) measure() error {
	_, err := otel.Meter("github.com/hookstream/hookstream/ingest/certificate").Float64ObservableGauge(
		"hookstream.ingest.certificate.expiry", metric.WithUnit("s"),
		metric.WithDescription("When the certificate for webhooks ends, in seconds since 1970."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(s.current.Load().Certificates[0].Leaf.NotAfter.Unix()))
			return nil
		}))
	return err
}

// TLS is a configuration of which every handshake uses what the files hold then.
func (s *Source) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.current.Load(), nil },
	}
}

// Run looks at the files until ctx ends. A change that is not in order is logged
// and leaves in force what was before.
func (s *Source) Run(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.reload(ctx)
		}
	}
}

func (s *Source) reload(ctx context.Context) {
	now, err := s.files.read()
	if err == nil && now.equal(s.seen) {
		return
	}
	var config *tls.Config
	if err == nil {
		s.seen = now // so that one change is logged once
		config, err = now.config()
	}
	if err != nil {
		s.log.ErrorContext(ctx, "the changed TLS files are not in order, the ones before stay in force", "error", err)
		return
	}
	s.current.Store(config)
	s.log.InfoContext(ctx, "TLS files were changed and are in force", "expires", config.Certificates[0].Leaf.NotAfter)
}

func (f Files) read() (contents, error) {
	var c contents
	var err1, err2, err3 error
	c.cert, err1 = os.ReadFile(f.Cert)
	c.key, err2 = os.ReadFile(f.Key)
	if f.ClientCA != "" {
		if c.clientCA, err3 = os.ReadFile(f.ClientCA); err3 != nil {
			err3 = fmt.Errorf("HOOKSTREAM_TLS_CLIENT_CA_FILE: %w", err3)
		}
	}
	if err := errors.Join(err1, err2); err != nil {
		return c, fmt.Errorf("HOOKSTREAM_TLS_CERT_FILE and HOOKSTREAM_TLS_KEY_FILE: %w", err)
	}
	return c, err3
}

func (c contents) config() (*tls.Config, error) {
	cert, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_TLS_CERT_FILE and HOOKSTREAM_TLS_KEY_FILE: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if c.clientCA != nil {
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(c.clientCA) {
			return nil, errors.New("HOOKSTREAM_TLS_CLIENT_CA_FILE holds no PEM certificate")
		}
		// Only some providers have one: the others sign.
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}
