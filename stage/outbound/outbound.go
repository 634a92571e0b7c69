// SPDX-License-Identifier: Apache-2.0

// Package outbound makes the few requests that services send to others than
// Kafka and databases: for certificates and key sets that verify signatures, and
// for confirmations of subscriptions. All of it is bounded, for a request that is
// not verified yet may ask for it.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/sync/singleflight"
)

// Mode says which requests are allowed.
type Mode string

// The modes. Each allows what the one before it does.
const (
	Off  Mode = "off"
	Keys Mode = "keys" // certificates and key sets
	All  Mode = "all"  // confirmations of subscriptions too
)

const (
	timeout = 5 * time.Second
	// maxDocument bounds what is read; certificates and key sets have a few
	// kilobytes.
	maxDocument = 256 << 10
	// maxAtOnce requests are out at once. More fail instead of waiting, so
	// that they cannot hold the slots of requests that need none.
	maxAtOnce = 8
	userAgent = "hookstream"
)

// ErrOff is a request that the mode does not allow.
var ErrOff = errors.New("outbound requests of this kind are off (HOOKSTREAM_OUTBOUND)")

// ErrBusy is a request beyond those that may be out at once.
var ErrBusy = errors.New("too many outbound requests at once")

// Config of a Client.
type Config struct {
	Mode Mode
	// Transport sends the requests; nil is one that uses the environment's
	// proxy.
	Transport http.RoundTripper
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// FreshFor is how long a document is used before it is fetched again, and
	// RefreshEvery how soon one that lacks something is. 0 is an hour, and a
	// minute.
	FreshFor, RefreshEvery time.Duration
	// Loopback allows http to addresses of this machine. Nothing that senders
	// choose may then become a URL.
	Loopback bool
}

// Client sends requests. Every URL must have been pinned by the caller, with
// Pinned or by being part of a definition. It is safe for concurrent use.
type Client struct {
	mode     Mode
	loopback bool
	http     *http.Client
	now      func() time.Time
	slots    chan struct{}
	flight   singleflight.Group
	cache    cache
}

// New makes a Client. It connects to nothing.
func New(cfg Config) *Client {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.FreshFor = cmp.Or(cfg.FreshFor, time.Hour)
	cfg.RefreshEvery = cmp.Or(cfg.RefreshEvery, time.Minute)
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: timeout,
			MaxConnsPerHost:     maxAtOnce,
			IdleConnTimeout:     time.Minute,
			ForceAttemptHTTP2:   true,
		}
	}
	return &Client{
		mode: cfg.Mode, loopback: cfg.Loopback,
		http: &http.Client{
			Transport: cfg.Transport,
			Timeout:   timeout,
			// A redirect would lead away from the pinned host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		now:   cfg.Now,
		slots: make(chan struct{}, maxAtOnce),
		cache: cache{freshFor: cfg.FreshFor, refreshEvery: cfg.RefreshEvery, entries: map[string]*entry{}},
	}
}

// Confirms reports whether confirmations are allowed.
func (c *Client) Confirms() bool { return c.mode == All }

// Confirm sends a GET to url and returns nil if the answer was 2xx.
func (c *Client) Confirm(ctx context.Context, url string) error {
	if !c.Confirms() {
		return ErrOff
	}
	_, err := c.get(ctx, url)
	return err
}

// Fetch returns the document at url, at most 256 KiB of it, from the cache where
// it is fresh. It must not be changed. A failure is remembered for a while.
func (c *Client) Fetch(ctx context.Context, url string) ([]byte, error) {
	if doc, ok, err := c.cache.get(url, c.now()); ok {
		return doc, err
	}
	return c.load(ctx, url)
}

// Refresh is Fetch for when the cached document lacks something: it fetches
// again, unless that was done just now.
func (c *Client) Refresh(ctx context.Context, url string) ([]byte, error) {
	if doc, ok, err := c.cache.recent(url, c.now()); ok {
		return doc, err
	}
	return c.load(ctx, url)
}

// load fetches once for all who wait for the same document. The fetch outlives
// the one who asked first, as the others need it too.
func (c *Client) load(ctx context.Context, url string) ([]byte, error) {
	if c.mode == Off || c.mode == "" {
		return nil, ErrOff
	}
	done := c.flight.DoChan(url, func() (any, error) {
		doc, err := c.get(context.WithoutCancel(ctx), url)
		if errors.Is(err, ErrBusy) {
			return doc, err // says nothing about the document
		}
		return c.cache.put(url, doc, err, c.now())
	})
	select {
	case r := <-done:
		doc, _ := r.Val.([]byte)
		return doc, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) get(ctx context.Context, url string) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return nil, ErrBusy
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("outbound request: %w", err)
	}
	if req.URL.Scheme != "https" && !c.local(req.URL) {
		return nil, fmt.Errorf("outbound request to %s: only https is sent", req.URL.Host)
	}
	req.Header.Set("User-Agent", userAgent)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("outbound request to %s: %w", req.URL.Host, withoutURL(err))
	}
	defer res.Body.Close()
	doc, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("outbound request to %s: %w", req.URL.Host, err)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return nil, fmt.Errorf("outbound request to %s: the answer has status %d", req.URL.Host, res.StatusCode)
	case len(doc) > maxDocument:
		return nil, fmt.Errorf("outbound request to %s: the answer is larger than %d bytes", req.URL.Host, maxDocument)
	}
	return doc, nil
}

// local reports whether plain http is sent to u.
func (c *Client) local(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return c.loopback && u.Scheme == "http" && err == nil && ip.IsLoopback()
}
