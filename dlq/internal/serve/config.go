// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/hookstream/hookstream/dlq/internal/auth"
	"github.com/hookstream/hookstream/schemas/setting"
)

// Config is what the service mode has besides the configuration of dlq.
type Config struct {
	Address string `help:"Address of the HTTP API." default:":8090" env:"HOOKSTREAM_DLQ_ADDRESS" is:"listener"`
	TLSCert string `name:"tls-cert-file" help:"PEM file of the API's certificate; plain HTTP without, for a proxy that has one. A change is noticed." env:"HOOKSTREAM_DLQ_TLS_CERT_FILE" placeholder:"FILE"`
	TLSKey  string `name:"tls-key-file" help:"PEM file of the certificate's key." env:"HOOKSTREAM_DLQ_TLS_KEY_FILE" placeholder:"FILE"`

	TokensFile string `help:"File of bearer tokens, one a line: a name, the token's SHA-256 in hexadecimal, and scopes of read,simulate,replay,discard. A change is noticed." env:"HOOKSTREAM_DLQ_TOKENS_FILE" placeholder:"FILE" is:"optional file"`

	OIDCIssuer   string                `help:"Issuer of JWTs that are accepted too." env:"HOOKSTREAM_DLQ_OIDC_ISSUER" placeholder:"URL" is:"optional url"`
	OIDCAudience string                `help:"Audience that the JWTs must be for." env:"HOOKSTREAM_DLQ_OIDC_AUDIENCE" placeholder:"NAME"`
	OIDCKeys     string                `name:"oidc-jwks-url" help:"Where the issuer publishes its keys: jwks_uri in its /.well-known/openid-configuration." env:"HOOKSTREAM_DLQ_OIDC_JWKS_URL" placeholder:"URL"`
	OIDCScopes   map[string]auth.Scope `help:"What in the scope claim gives which scope." default:"dlq:read=read;dlq:simulate=simulate;dlq:replay=replay;dlq:discard=discard" env:"HOOKSTREAM_DLQ_OIDC_SCOPES" placeholder:"LIST"`
	OIDCClaim    string                `name:"oidc-scope-claim" help:"Claim that holds the scopes: text with spaces between, or a list." default:"scope" env:"HOOKSTREAM_DLQ_OIDC_SCOPE_CLAIM"`
	OIDCSubject  string                `name:"oidc-subject-claim" help:"Claim that names the caller in the audit." default:"sub" env:"HOOKSTREAM_DLQ_OIDC_SUBJECT_CLAIM"`

	MaxInFlight    int           `help:"Requests answered at once; more are answered 503. Each may read the whole dead-letter topic." default:"8" env:"HOOKSTREAM_DLQ_MAX_IN_FLIGHT" bounds:"1..10000"`
	MaxSimulations int           `help:"Simulations, and plans of replays with a patch, at once; more are answered 503. Each payload may take some 200 MiB for a moment." default:"1" env:"HOOKSTREAM_DLQ_MAX_SIMULATIONS" bounds:"1..1000"`
	MaxSimulated   int           `help:"Dead letters that one simulation may try; one that selects more is answered 409." default:"100000" env:"HOOKSTREAM_DLQ_MAX_SIMULATED" bounds:"1..1000000000"`
	MaxStreams     int           `help:"Streams of progress open at once; more are answered 503." default:"64" env:"HOOKSTREAM_DLQ_MAX_STREAMS" bounds:"1..100000"`
	RequestTimeout time.Duration `help:"How long a request may take. Replays go on after theirs." default:"60s" env:"HOOKSTREAM_DLQ_REQUEST_TIMEOUT" bounds:"1s..1h"`
	MaxIndexed     int           `help:"Dead letters that are remembered for metrics, at some 60 bytes each. Beyond, resolved ones are forgotten, then new ones not counted." default:"1000000" env:"HOOKSTREAM_DLQ_MAX_INDEXED" bounds:"1..1000000000"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	if err := setting.Check(c); err != nil {
		return err
	}
	errs := []error{c.validateOIDC(), c.validateTLS(), c.validateTokens()}
	if c.TokensFile == "" && c.OIDCIssuer == "" {
		errs = append(errs, errors.New("nobody could call the API: set HOOKSTREAM_DLQ_TOKENS_FILE or HOOKSTREAM_DLQ_OIDC_ISSUER"))
	}
	return errors.Join(errs...)
}

func (c *Config) validateTLS() error {
	_, err := setting.KeyPair("HOOKSTREAM_DLQ_TLS_CERT_FILE", c.TLSCert, "HOOKSTREAM_DLQ_TLS_KEY_FILE", c.TLSKey)
	return err
}

// validateTokens reads them once: what is wrong with them is known at the start.
func (c *Config) validateTokens() error {
	if c.TokensFile == "" {
		return nil
	}
	if _, err := auth.NewTokens(c.TokensFile, slog.New(slog.DiscardHandler)); err != nil {
		return fmt.Errorf("HOOKSTREAM_DLQ_TOKENS_FILE: %w", err)
	}
	return nil
}

func (c *Config) validateOIDC() error {
	if c.OIDCIssuer == "" {
		if c.OIDCAudience != "" || c.OIDCKeys != "" {
			return errors.New("HOOKSTREAM_DLQ_OIDC_ISSUER is empty, but HOOKSTREAM_DLQ_OIDC_AUDIENCE or HOOKSTREAM_DLQ_OIDC_JWKS_URL is set")
		}
		return nil
	}
	var errs []error
	if c.OIDCAudience == "" || c.OIDCClaim == "" || c.OIDCSubject == "" {
		errs = append(errs, errors.New("HOOKSTREAM_DLQ_OIDC_AUDIENCE, HOOKSTREAM_DLQ_OIDC_SCOPE_CLAIM and HOOKSTREAM_DLQ_OIDC_SUBJECT_CLAIM must not be empty: a token for another service would do"))
	}
	if err := setting.CheckURL(c.OIDCKeys); err != nil {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_DLQ_OIDC_JWKS_URL %w", err))
	} else if u, err := url.Parse(c.OIDCKeys); err != nil || u.Scheme != "https" && !loopback(u.Hostname()) {
		errs = append(errs, errors.New("HOOKSTREAM_DLQ_OIDC_JWKS_URL must be an https URL"))
	}
	for name, scope := range c.OIDCScopes {
		if !slices.Contains(auth.Scopes(), scope) {
			errs = append(errs, fmt.Errorf("HOOKSTREAM_DLQ_OIDC_SCOPES: %s=%s: want read, simulate, replay or discard", name, scope))
		}
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// authenticator reads the tokens for the first time.
func (c *Config) authenticator(log *slog.Logger) (*auth.Authenticator, error) {
	a := &auth.Authenticator{}
	if c.TokensFile != "" {
		var err error
		if a.Tokens, err = auth.NewTokens(c.TokensFile, log); err != nil {
			return nil, fmt.Errorf("HOOKSTREAM_DLQ_TOKENS_FILE: %w", err)
		}
	}
	if c.OIDCIssuer != "" {
		keys, err := auth.Keys(c.OIDCKeys, nil, nil)
		if err != nil {
			return nil, err
		}
		a.OIDC = &auth.OIDC{
			Issuer: c.OIDCIssuer, Audience: c.OIDCAudience, Keys: keys, Log: log,
			ScopeClaim: c.OIDCClaim, Scopes: c.OIDCScopes, SubjectClaim: c.OIDCSubject, Now: time.Now,
		}
	}
	return a, nil
}
