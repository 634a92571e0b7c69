// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/limit"
	"github.com/hookstream/hookstream/ingest/internal/network"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/ingest/internal/verify"
	"github.com/hookstream/hookstream/schemas/provider"
	"github.com/hookstream/hookstream/schemas/setting"
	"github.com/hookstream/hookstream/stage/kafka"
	"github.com/hookstream/hookstream/stage/outbound"
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

	Address  string `help:"Address of the listener for webhooks." default:":8080" env:"HOOKSTREAM_ADDRESS" is:"listener"`
	TLSCert  string `name:"tls-cert-file" help:"PEM file of the certificate for webhooks; plain HTTP without. A change is noticed." env:"HOOKSTREAM_TLS_CERT_FILE" placeholder:"FILE"`
	TLSKey   string `name:"tls-key-file" help:"PEM file of the certificate's key." env:"HOOKSTREAM_TLS_KEY_FILE" placeholder:"FILE"`
	ClientCA string `name:"tls-client-ca-file" help:"PEM file of the CA of senders' certificates, for providers with the scheme mtls. Senders without a certificate are still served." env:"HOOKSTREAM_TLS_CLIENT_CA_FILE" placeholder:"FILE" is:"optional certificates"`

	// The URL that senders see matters where a provider signs it.
	PublicURL  string            `name:"public-url" help:"Scheme and host that senders see, where a proxy changes them: https://hooks.example.com." env:"HOOKSTREAM_PUBLIC_URL" placeholder:"URL" is:"optional origin"`
	PublicURLs map[string]string `name:"public-urls" help:"URLs of endpoints whose path a proxy changes: tenant/provider=https://hooks.example.com/path, separated by semicolons." env:"HOOKSTREAM_PUBLIC_URLS" placeholder:"LIST"`

	TrustedProxies  []string          `help:"Networks of the proxies that are believed about the sender's address and URL." env:"HOOKSTREAM_TRUSTED_PROXIES" placeholder:"NETWORK"`
	ForwardedHeader network.Style     `help:"What trusted proxies set: x-forwarded (X-Forwarded-For, -Proto, -Host) or forwarded (RFC 7239). The other is not believed." enum:"x-forwarded,forwarded" default:"x-forwarded" env:"HOOKSTREAM_FORWARDED_HEADER"`
	ProxyProtocol   bool              `help:"Require the PROXY protocol, version 1 or 2, on connections from trusted proxies." env:"HOOKSTREAM_PROXY_PROTOCOL"`
	AllowedNetworks map[string]string `help:"Networks that may send: provider=network,network or tenant/provider=network, separated by semicolons. Everybody may send what is not listed." env:"HOOKSTREAM_ALLOWED_NETWORKS" placeholder:"LIST"`

	DefinitionsDir string            `help:"Folder of provider definitions that add to or replace the built-in ones. A change is noticed, and is in force together with the secrets or not at all." env:"HOOKSTREAM_DEFINITIONS_DIR" placeholder:"DIR" is:"optional folder"`
	SecretsDir     string            `help:"Folder of signing secrets: files named TENANT/PROVIDER, one secret a line. A change is noticed." env:"HOOKSTREAM_SECRETS_DIR" placeholder:"DIR" is:"optional folder"`
	Secrets        Secret            `help:"Signing secrets: tenant/provider=secret, separated by semicolons. Prefer the folder." env:"HOOKSTREAM_SECRETS" placeholder:"LIST"`
	WeakerSchemes  map[string]string `help:"Signature schemes that are taken although the provider has a stronger one, which anybody who has seen a request could then leave out: provider=scheme,scheme or tenant/provider=scheme, separated by semicolons." env:"HOOKSTREAM_WEAKER_SCHEMES" placeholder:"LIST"`
	Outbound       outbound.Mode     `help:"Requests that may be sent: off, keys (certificates and key sets that verify signatures) or all (confirmations of subscriptions too)." enum:"off,keys,all" default:"keys" env:"HOOKSTREAM_OUTBOUND"`

	MaxBodyBytes     int64              `help:"Largest body that is accepted, decompressed." default:"1048576" env:"HOOKSTREAM_MAX_BODY_BYTES"`
	MaxInFlight      int                `help:"Requests verified and written at once; more are answered 503." default:"512" env:"HOOKSTREAM_MAX_IN_FLIGHT" bounds:"1..1000000"`
	MaxInFlightBytes int64              `help:"Bytes that the bodies of all requests may hold at once; more are answered 503, and slow bodies give way." default:"67108864" env:"HOOKSTREAM_MAX_IN_FLIGHT_BYTES"`
	MaxConnections   int                `help:"Open connections. Beyond them idle and slow ones are closed." default:"10000" env:"HOOKSTREAM_MAX_CONNECTIONS" bounds:"1..10000000"`
	RateLimit        float64            `help:"Requests a second of one tenant's provider; more are answered 429. An asymmetric signature counts as 13 to 24 requests. 0 is no limit." default:"20000" env:"HOOKSTREAM_RATE_LIMIT" bounds:"0..1000000000"`
	RateLimits       map[string]float64 `help:"Other limits: tenant/provider=rate, or tenant/*=rate and */provider=rate for what all of a tenant or a provider share, separated by semicolons." env:"HOOKSTREAM_RATE_LIMITS" placeholder:"LIST"`
	RateBurst        time.Duration      `help:"How many seconds' worth of requests a limit lets through at once." default:"1s" env:"HOOKSTREAM_RATE_BURST" bounds:"1ns..1h"`
	HeaderTimeout    time.Duration      `help:"How long a request's headers may take to arrive." default:"5s" env:"HOOKSTREAM_HEADER_TIMEOUT" bounds:"1ns..1h"`
	ReadTimeout      time.Duration      `help:"How long a request may take to arrive." default:"15s" env:"HOOKSTREAM_READ_TIMEOUT" bounds:"1ns..1h"`
	MinBodyRate      int64              `help:"Bytes a second at which a body must arrive, after five seconds." default:"1024" env:"HOOKSTREAM_MIN_BODY_RATE" bounds:"1..1000000000"`
	ProduceTimeout   time.Duration      `help:"How long to wait for Kafka's acknowledgement before answering 503." default:"4s" env:"HOOKSTREAM_PRODUCE_TIMEOUT" bounds:"1ns..1h"`
	DrainDelay       time.Duration      `help:"How long to go on serving at shutdown after readiness has ended, until load balancers have noticed. Part of the drain timeout." default:"2s" env:"HOOKSTREAM_DRAIN_DELAY"`
}

// Validate checks what belongs together. Errors name the variable.
func (c *Config) Validate() error {
	// What depends on a wrong setting is not another one.
	if err := errors.Join(setting.Check(c), c.Kafka.Validate()); err != nil {
		return err
	}
	return errors.Join(c.validateLimits(), c.validateSecrets(), c.validateTLS(), c.validateURLs(), c.validateNetworks(), c.validateSchemes())
}

func (c *Config) validateLimits() error {
	var errs []error
	// An event can be larger than its webhook (names in the schema, JSON in
	// JSON is escaped), and a dead letter carries more headers than the record
	// that failed. Half leaves room for both, so that what is accepted here is
	// not too large further on.
	if most := int64(c.Kafka.MaxValueBytes() / 2); c.MaxBodyBytes < 1 || c.MaxBodyBytes > most {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_MAX_BODY_BYTES is %d, must be between 1 and %d, half of what HOOKSTREAM_MAX_MESSAGE_BYTES leaves", c.MaxBodyBytes, most))
	}
	// A body needs twice its size while its buffer grows.
	if len(errs) == 0 && c.MaxInFlightBytes < 2*c.MaxBodyBytes {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_MAX_IN_FLIGHT_BYTES is %d, must be at least %d, twice HOOKSTREAM_MAX_BODY_BYTES", c.MaxInFlightBytes, 2*c.MaxBodyBytes))
	}
	if c.DrainDelay < 0 || c.DrainDelay > c.DrainTimeout {
		errs = append(errs, fmt.Errorf("HOOKSTREAM_DRAIN_DELAY is %s, must be within HOOKSTREAM_DRAIN_TIMEOUT, %s", c.DrainDelay, c.DrainTimeout))
	}
	_, err := c.rates()
	return errors.Join(append(errs, err)...)
}

func (c *Config) validateTLS() error {
	_, err := setting.KeyPair("HOOKSTREAM_TLS_CERT_FILE", c.TLSCert, "HOOKSTREAM_TLS_KEY_FILE", c.TLSKey)
	if c.ClientCA != "" && c.TLSCert == "" {
		err = errors.Join(err, errors.New("HOOKSTREAM_TLS_CLIENT_CA_FILE needs HOOKSTREAM_TLS_CERT_FILE: clients show certificates only to a server that has one"))
	}
	return err
}

func (c *Config) validateURLs() error {
	var errs []error
	for name, text := range c.PublicURLs {
		tenant, providerName, slash := strings.Cut(name, "/")
		if !slash || !provider.ValidName(tenant) || !provider.ValidName(providerName) {
			errs = append(errs, fmt.Errorf("HOOKSTREAM_PUBLIC_URLS: %.60q is not tenant/provider", name))
		}
		if err := setting.CheckURL(text); err != nil {
			errs = append(errs, fmt.Errorf("HOOKSTREAM_PUBLIC_URLS: %.60q %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// validateSecrets reads them once: what is wrong with them is known at the start.
func (c *Config) validateSecrets() error {
	_, err := secret.Load(c.SecretsDir, c.Secrets)
	return err
}

func (c *Config) validateNetworks() error {
	_, err1 := c.proxies()
	_, err2 := c.allowlist()
	errs := []error{err1, err2}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		errs = append(errs, errors.New("HOOKSTREAM_PROXY_PROTOCOL needs HOOKSTREAM_TRUSTED_PROXIES: it is expected from those only"))
	}
	return errors.Join(errs...)
}

// proxies are those that are trusted.
func (c *Config) proxies() (network.Proxies, error) {
	trusted, err := network.ParseNetworks(c.TrustedProxies)
	if err != nil {
		return network.Proxies{}, fmt.Errorf("HOOKSTREAM_TRUSTED_PROXIES: %w", err)
	}
	return network.Proxies{Trusted: trusted, Style: c.ForwardedHeader}, nil
}

// allowlist says who may send.
func (c *Config) allowlist() (network.Allowlist, error) {
	for name := range c.AllowedNetworks {
		tenant, providerName, slash := strings.Cut(name, "/")
		if !provider.ValidName(tenant) || slash && !provider.ValidName(providerName) {
			return nil, fmt.Errorf("HOOKSTREAM_ALLOWED_NETWORKS: %q is neither provider nor tenant/provider", name)
		}
	}
	list, err := network.ParseAllowlist(c.AllowedNetworks)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_ALLOWED_NETWORKS: %w", err)
	}
	return list, nil
}

func (c *Config) validateSchemes() error {
	_, err := c.weaker()
	return err
}

// weaker are the schemes that are allowed beside stronger ones.
func (c *Config) weaker() (verify.Weaker, error) {
	w, err := verify.ParseWeaker(c.WeakerSchemes)
	if err != nil {
		return nil, fmt.Errorf("HOOKSTREAM_WEAKER_SCHEMES: %w", err)
	}
	return w, nil
}

// rates are the limits by tenant and provider.
func (c *Config) rates() (*limit.Rates, error) {
	overrides := make(map[limit.Pair]float64, len(c.RateLimits))
	for name, perSecond := range c.RateLimits {
		tenant, providerName, slash := strings.Cut(name, "/")
		valid := func(s string) bool { return s == limit.Any || provider.ValidName(s) }
		if !slash || !valid(tenant) || !valid(providerName) || tenant == limit.Any && providerName == limit.Any {
			return nil, fmt.Errorf("HOOKSTREAM_RATE_LIMITS: %q is none of tenant/provider, tenant/* and */provider", name)
		}
		if !(perSecond >= 0) || math.IsInf(perSecond, 0) {
			return nil, fmt.Errorf("HOOKSTREAM_RATE_LIMITS: %s is %g, must be a number that is not negative", name, perSecond)
		}
		overrides[limit.Pair{Tenant: tenant, Provider: providerName}] = perSecond
	}
	return limit.NewRates(c.RateLimit, c.RateBurst, overrides), nil
}
