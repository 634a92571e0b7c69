// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/hookstream/hookstream/stage/reload"
)

// certificate is the one of the files as they last were in order: a renewal that
// went wrong is in the log, and the certificate before it stays in force.
type certificate struct {
	*reload.Source[*tls.Certificate]
}

// loadCertificate reads the files for the first time.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	source, err := reload.New(reload.Config[*tls.Certificate]{
		Name: "certificate", Log: log,
		Fingerprint: func() (reload.Fingerprint, error) {
			print, err := reload.Files(certFile, keyFile)
			return print, inTLSFiles(err)
		},
		Load: func(*tls.Certificate) (*tls.Certificate, error) {
			c, err := tls.LoadX509KeyPair(certFile, keyFile)
			return &c, inTLSFiles(err)
		},
		Attributes: func(c *tls.Certificate) []slog.Attr { return []slog.Attr{slog.Time("expires", c.Leaf.NotAfter)} },
	})
	if err != nil {
		return nil, err
	}
	c := &certificate{source}
	return c, c.measure()
}

func inTLSFiles(err error) error {
	if err != nil {
		return fmt.Errorf("HOOKSTREAM_DLQ_TLS_CERT_FILE and HOOKSTREAM_DLQ_TLS_KEY_FILE: %w", err)
	}
	return nil
}

// measure tells when the certificate in force ends, which its file no longer
// shows where a renewal was refused.
func (c *certificate) measure() error {
	_, err := otel.Meter("github.com/hookstream/hookstream/dlq/serve").Float64ObservableGauge(
		"hookstream.dlq.certificate.expiry", metric.WithUnit("s"),
		metric.WithDescription("When the certificate of the API ends, in seconds since 1970."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(float64(c.ends().Unix()))
			return nil
		}))
	return err
}

func (c *certificate) ends() time.Time { return c.Value().Leaf.NotAfter }

// tls is a configuration of which every handshake uses the certificate in force.
func (c *certificate) tls() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Value(), nil },
	}
}
