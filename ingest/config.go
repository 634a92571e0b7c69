// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/service"
)

// Info describes the program.
var Info = service.Info{
	Name:         "ingest",
	Description:  "Receives webhooks over HTTP, verifies them, and writes them to Kafka before it answers.",
	AdminAddress: ":8081",
}

// Secret is text that never prints.
type Secret = secret.Secret

// Config of the service.
type Config struct {
	service.Common `embed:""`
	Kafka          kafka.Config `embed:""`

	Address string `help:"Address of the listener for webhooks." default:":8080" env:"HOOKSTREAM_ADDRESS"`
	TLSCert string `name:"tls-cert-file" help:"PEM file of the certificate for webhooks; plain HTTP without." env:"HOOKSTREAM_TLS_CERT_FILE" placeholder:"FILE"`
	TLSKey  string `name:"tls-key-file" help:"PEM file of the certificate's key." env:"HOOKSTREAM_TLS_KEY_FILE" placeholder:"FILE"`
	// PublicURL matters where a provider signs the URL.
	PublicURL string `name:"public-url" help:"Scheme and host that senders see, where a proxy changes them: https://hooks.example.com." env:"HOOKSTREAM_PUBLIC_URL" placeholder:"URL"`

	DefinitionsDir string `help:"Folder of provider definitions that add to or replace the built-in ones." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR"`
	SecretsDir     string `help:"Folder of signing secrets: files named TENANT/PROVIDER, one secret a line." env:"HOOKSTREAM_SECRETS_DIR" placeholder:"DIR"`
	Secrets        Secret `help:"Signing secrets: tenant/provider=secret, separated by semicolons. Prefer the folder." env:"HOOKSTREAM_SECRETS" placeholder:"LIST"`

	MaxBodyBytes   int64         `help:"Largest body that is accepted." default:"1048576" env:"HOOKSTREAM_MAX_BODY_BYTES"`
	MaxInFlight    int           `help:"Requests worked on at once; more are answered 503." default:"512" env:"HOOKSTREAM_MAX_IN_FLIGHT"`
	ReadTimeout    time.Duration `help:"How long a request may take to arrive." default:"15s" env:"HOOKSTREAM_READ_TIMEOUT"`
	ProduceTimeout time.Duration `help:"How long to wait for Kafka's acknowledgement before answering 503." default:"4s" env:"HOOKSTREAM_PRODUCE_TIMEOUT"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	errs := []error{c.Kafka.Validate()}
	// An event can be larger than its webhook (names in the schema, JSON in
	// JSON is escaped), and a dead letter carries more headers than the record
	// that failed. Half leaves room for both, so that what is accepted here is
	// not too large further on.
	if most := int64(c.Kafka.MaxValueBytes() / 2); c.MaxBodyBytes < 1 || c.MaxBodyBytes > most {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_MAX_BODY_BYTES is %d, must be between 1 and %d, half of what HOOKSTREAM_MAX_MESSAGE_BYTES leaves", c.MaxBodyBytes, most))
	}
	if c.MaxInFlight < 1 {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_MAX_IN_FLIGHT is %d, must be at least 1", c.MaxInFlight))
	}
	if c.ReadTimeout <= 0 {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_READ_TIMEOUT is %s, must be positive", c.ReadTimeout))
	}
	if c.ProduceTimeout <= 0 {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_PRODUCE_TIMEOUT is %s, must be positive", c.ProduceTimeout))
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		errs = append(errs, errors.New("HOOKSTREAM_TLS_CERT_FILE and HOOKSTREAM_TLS_KEY_FILE go together"))
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" {
			errs = append(errs, fmt.Errorf("HOOKSTREAM_PUBLIC_URL is %q, must be a scheme and a host and nothing more", c.PublicURL))
		}
	}
	return errors.Join(errs...)
}
