// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hookstream/hookstream/stage/failure"
	"github.com/hookstream/hookstream/stage/kafkatest"
)

func TestDefaultsAreValid(t *testing.T) {
	var cfg Config
	if err := Info.Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if cfg.Address != ":8080" || cfg.AdminAddress != ":8081" || cfg.MaxBodyBytes != 1<<20 || cfg.ProduceTimeout != 4*time.Second {
		t.Errorf("defaults %s, %s, %d, %s", cfg.Address, cfg.AdminAddress, cfg.MaxBodyBytes, cfg.ProduceTimeout)
	}
}

// TestListsAreRead holds the help of the lists to what is read.
func TestListsAreRead(t *testing.T) {
	t.Setenv("HOOKSTREAM_RATE_LIMITS", "acme/stripe=500;acme/*=2000;*/github=0.5")
	t.Setenv("HOOKSTREAM_ALLOWED_NETWORKS", "stripe=192.0.2.0/24,198.51.100.7;acme/github=2001:db8::/32")
	t.Setenv("HOOKSTREAM_PUBLIC_URLS", "acme/stripe=https://hooks.example.com/in/1;acme/github=https://hooks.example.com/in/2")
	t.Setenv("HOOKSTREAM_TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8")
	var cfg Config
	if err := Info.Defaults(&cfg); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if cfg.RateLimits["acme/*"] != 2000 || cfg.RateLimits["*/github"] != 0.5 || len(cfg.RateLimits) != 3 {
		t.Errorf("rates %v", cfg.RateLimits)
	}
	list, err := cfg.allowlist()
	if err != nil || !list.Allows("default", "stripe", "198.51.100.7:1") || list.Allows("acme", "github", "192.0.2.1:1") {
		t.Errorf("networks %v, %v", list, err)
	}
	if cfg.PublicURLs["acme/github"] != "https://hooks.example.com/in/2" || len(cfg.TrustedProxies) != 2 {
		t.Errorf("URLs %v, proxies %v", cfg.PublicURLs, cfg.TrustedProxies)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	secrets := t.TempDir()
	if err := os.MkdirAll(filepath.Join(secrets, "default"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(secrets, "default", "svix")
	if err := os.WriteFile(file, []byte("# new\nwhsec_hunter2!\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*Config)
		want   string
	}{
		"body without headroom":  {func(c *Config) { c.MaxBodyBytes = 3 << 20 }, "HOOKSTREAM_MAX_BODY_BYTES is 3145728"},
		"no body at all":         {func(c *Config) { c.MaxBodyBytes = 0 }, "HOOKSTREAM_MAX_BODY_BYTES"},
		"no requests":            {func(c *Config) { c.MaxInFlight = 0 }, "HOOKSTREAM_MAX_IN_FLIGHT"},
		"no time to read":        {func(c *Config) { c.ReadTimeout = 0 }, "HOOKSTREAM_READ_TIMEOUT"},
		"no time to produce":     {func(c *Config) { c.ProduceTimeout = -1 }, "HOOKSTREAM_PRODUCE_TIMEOUT"},
		"too little memory":      {func(c *Config) { c.MaxInFlightBytes = c.MaxBodyBytes }, "HOOKSTREAM_MAX_IN_FLIGHT_BYTES is 1048576, must be at least 2097152"},
		"no connections":         {func(c *Config) { c.MaxConnections = 0 }, "HOOKSTREAM_MAX_CONNECTIONS"},
		"no time for headers":    {func(c *Config) { c.HeaderTimeout = 0 }, "HOOKSTREAM_HEADER_TIMEOUT"},
		"no least rate":          {func(c *Config) { c.MinBodyRate = 0 }, "HOOKSTREAM_MIN_BODY_RATE"},
		"negative rate":          {func(c *Config) { c.RateLimit = -1 }, "HOOKSTREAM_RATE_LIMIT is -1"},
		"no burst":               {func(c *Config) { c.RateBurst = 0 }, "HOOKSTREAM_RATE_BURST"},
		"rate of nobody":         {func(c *Config) { c.RateLimits = map[string]float64{"stripe": 1} }, `HOOKSTREAM_RATE_LIMITS: "stripe" is none of`},
		"rate of everybody":      {func(c *Config) { c.RateLimits = map[string]float64{"*/*": 1} }, "HOOKSTREAM_RATE_LIMITS"},
		"negative own rate":      {func(c *Config) { c.RateLimits = map[string]float64{"a/stripe": -1} }, "HOOKSTREAM_RATE_LIMITS: a/stripe is -1"},
		"delay beyond the drain": {func(c *Config) { c.DrainDelay = c.DrainTimeout + 1 }, "HOOKSTREAM_DRAIN_DELAY"},
		"client CA without TLS":  {func(c *Config) { c.ClientCA = "x" }, "HOOKSTREAM_TLS_CLIENT_CA_FILE"},
		"no network":             {func(c *Config) { c.TrustedProxies = []string{"proxy.example"} }, `HOOKSTREAM_TRUSTED_PROXIES: "proxy.example"`},
		"nobody to trust":        {func(c *Config) { c.ProxyProtocol = true }, "HOOKSTREAM_PROXY_PROTOCOL needs HOOKSTREAM_TRUSTED_PROXIES"},
		"networks of nobody":     {func(c *Config) { c.AllowedNetworks = map[string]string{"A/b": "10.0.0.0/8"} }, `HOOKSTREAM_ALLOWED_NETWORKS: "A/b"`},
		"no allowed network":     {func(c *Config) { c.AllowedNetworks = map[string]string{"stripe": "10.0.0.0/8;1"} }, "HOOKSTREAM_ALLOWED_NETWORKS: stripe"},
		"URL of nobody":          {func(c *Config) { c.PublicURLs = map[string]string{"stripe": "https://x.example/a"} }, "HOOKSTREAM_PUBLIC_URLS: \"stripe\""},
		"URL with a query":       {func(c *Config) { c.PublicURLs = map[string]string{"a/stripe": "https://x.example/a?b"} }, "HOOKSTREAM_PUBLIC_URLS: \"a/stripe\""},
		"half of TLS":            {func(c *Config) { c.TLSCert = "x" }, "HOOKSTREAM_TLS_KEY_FILE"},
		"TLS without files":      {func(c *Config) { c.TLSCert, c.TLSKey = "missing", "missing" }, "HOOKSTREAM_TLS_CERT_FILE"},
		"public URL with a path": {func(c *Config) { c.PublicURL = "https://x.example/hooks" }, "HOOKSTREAM_PUBLIC_URL"},
		"Kafka":                  {func(c *Config) { c.Kafka.Partitions = 0 }, "HOOKSTREAM_PARTITIONS"},
		"definitions":            {func(c *Config) { c.DefinitionsDir = "missing" }, "HOOKSTREAM_DEFINITIONS_DIR"},
		"secrets folder":         {func(c *Config) { c.SecretsDir = "missing" }, "HOOKSTREAM_SECRETS_DIR"},
		"secret in a file":       {func(c *Config) { c.SecretsDir = secrets }, file + ":2: for v1: the secret is not base64"},
		"secret in the variable": {func(c *Config) { c.Secrets = "default/svix=hunter2!" }, "HOOKSTREAM_SECRETS: entry 1: for v1: the secret is not base64"},
		"unknown provider":       {func(c *Config) { c.Secrets = "default/strype=hunter2" }, `no definition of a provider "strype"`},
		"port in use":            {func(c *Config) { c.Address = busy.Addr().String() }, "HOOKSTREAM_ADDRESS"},
		"admin port in use":      {func(c *Config) { c.AdminAddress = busy.Addr().String() }, "HOOKSTREAM_ADMIN_ADDRESS"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, &kafkatest.Broker{Addresses: []string{"localhost:1"}})
			c.change(&cfg)
			_, err := New(cfg, slog.New(slog.DiscardHandler))
			if failure.Of(err) != failure.Fatal || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a Fatal error with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the secret: %v", err)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	cfg := config(t, kafkatest.New(t))
	cfg.TLSCert, cfg.TLSKey = save(t, newAuthority(t).server())
	s := start(t, cfg).waitReady()
	pool := x509.NewCertPool()
	pemData, err := os.ReadFile(cfg.TLSCert)
	if err != nil {
		t.Fatal(err)
	}
	pool.AppendCertsFromPEM(pemData)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	res, err := client.Do(signed(t, "https://"+s.Address(), event("1")))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Errorf("answered %d", res.StatusCode)
	}
}
