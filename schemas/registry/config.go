// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/hookstream/hookstream/schemas/setting"
)

// Config is how to reach the schema registry, and who asks it. Every program that
// needs one embeds it with the prefix registry-, and sets registry_url to the
// default of its URL.
type Config struct {
	URL      string         `name:"url" help:"Schema registry (Confluent API)." default:"${registry_url}" env:"HOOKSTREAM_REGISTRY_URL" placeholder:"URL" is:"optional url"`
	User     string         `name:"user" help:"User of the schema registry." env:"HOOKSTREAM_REGISTRY_USER" is:"optional name"`
	Password setting.Secret `name:"password" help:"Password of the user." env:"HOOKSTREAM_REGISTRY_PASSWORD"`
	Token    setting.Secret `name:"token" help:"Bearer token for the schema registry, in place of user and password." env:"HOOKSTREAM_REGISTRY_TOKEN" is:"optional header"`
	CAFile   string         `name:"ca-file" help:"PEM file of the CA that signed the registry's certificate; the system's by default." env:"HOOKSTREAM_REGISTRY_CA_FILE" placeholder:"FILE" is:"optional certificates"`
}

// Validate checks the settings. Errors name the variable, and repeat no secret.
func (c *Config) Validate() error {
	errs := []error{setting.Check(c)}
	if (c.User == "") != (c.Password == "") {
		errs = append(errs, errors.New("HOOKSTREAM_REGISTRY_USER and HOOKSTREAM_REGISTRY_PASSWORD go together"))
	}
	if c.User != "" && c.Token != "" {
		errs = append(errs, errors.New("HOOKSTREAM_REGISTRY_TOKEN takes the place of HOOKSTREAM_REGISTRY_USER: set one of them"))
	}
	return errors.Join(errs...)
}

// Client makes a client of the registry. It does not connect yet.
func (c *Config) Client() (*sr.Client, error) {
	opts := []sr.ClientOpt{sr.URLs(c.URL)}
	switch {
	case c.User != "":
		opts = append(opts, sr.BasicAuth(c.User, c.Password.Reveal()))
	case c.Token != "":
		opts = append(opts, sr.BearerToken(c.Token.Reveal()))
	}
	if c.CAFile != "" {
		roots, err := setting.Authorities(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("HOOKSTREAM_REGISTRY_CA_FILE %w", err)
		}
		opts = append(opts, sr.DialTLSConfig(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("client of the schema registry (HOOKSTREAM_REGISTRY_URL): %w", err)
	}
	return client, nil
}
