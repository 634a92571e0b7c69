// SPDX-License-Identifier: Apache-2.0

// Package certificate serves TLS with files that may change while it runs.
package certificate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/reload"
)

// Files are PEM files.
type Files struct {
	Cert, Key string
	// ClientCA signed the certificates of clients that have one; may be empty.
	ClientCA string
}

// Source is the TLS configuration of the files as they last were in order.
type Source struct{ *reload.Source[*tls.Config] }

// Load reads the files.
func Load(files Files, log *slog.Logger) (*Source, error) {
	source, err := reload.New(reload.Config[*tls.Config]{
		Name: "certificate", Log: log,
		Fingerprint: files.fingerprint,
		Load:        func(*tls.Config) (*tls.Config, error) { return files.config() },
		Attributes: func(c *tls.Config) []slog.Attr {
			return []slog.Attr{slog.Time("expires", c.Certificates[0].Leaf.NotAfter)}
		},
	})
	if err != nil {
		return nil, err
	}
	s := &Source{source}
	return s, s.measure()
}

// measure tells when the certificate in force ends: a change that was refused
// leaves the one before, which its file no longer shows.
func (s *Source) measure() error {
	_, err := otel.Meter("github.com/hookstream/hookstream/ingest/certificate").Float64ObservableGauge(
		"hookstream.ingest.certificate.expiry", metric.WithUnit("s"),
		metric.WithDescription("When the certificate for webhooks ends, in seconds since 1970."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(s.Value().Certificates[0].Leaf.NotAfter.Unix()))
			return nil
		}))
	return err
}

// TLS is a configuration of which every handshake uses what the files hold then.
func (s *Source) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.Value(), nil },
	}
}

// fingerprint reads the files by the variables that name them.
func (f Files) fingerprint() (reload.Fingerprint, error) {
	names := []string{f.Cert, f.Key}
	if f.ClientCA != "" {
		names = append(names, f.ClientCA)
	}
	print, err := reload.Files(names...)
	if err != nil {
		err = fmt.Errorf("HOOKSTREAM_TLS_CERT_FILE, HOOKSTREAM_TLS_KEY_FILE or HOOKSTREAM_TLS_CLIENT_CA_FILE: %w", err)
	}
	return print, err
}

func (f Files) config() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_TLS_CERT_FILE and HOOKSTREAM_TLS_KEY_FILE: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if f.ClientCA == "" {
		return config, nil
	}
	ca, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_TLS_CLIENT_CA_FILE: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(ca) {
		return nil, errors.New("HOOKSTREAM_TLS_CLIENT_CA_FILE holds no PEM certificate")
	}
	// Only some providers have one: the others sign.
	config.ClientAuth = tls.VerifyClientCertIfGiven
	return config, nil
}
