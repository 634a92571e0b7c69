// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hookstream/hookstream/ingest/internal/verify"
)

// Config of a Handler.
type Config struct {
	// Setup is the one in force. A request is answered under the one that was
	// in force when it came.
	Setup    func() *Setup
	Producer Producer
	// RawTopic is where records go.
	RawTopic string
	// MaxBody is the largest body, in bytes, after decompression.
	MaxBody int64
	// MaxInFlight bounds the requests that are verified and written at once.
	MaxInFlight int
	// PublicURL replaces scheme and host of {url}; may be empty.
	PublicURL string
	// PublicURLs are what senders call the endpoints whose path a proxy
	// changes, by tenant/provider: absolute URLs without a query.
	PublicURLs map[string]string
	// Networks, Limiter, Memory, Confirmer and Capturer may be nil: everybody
	// may send, nothing is limited, nothing is confirmed or captured.
	Networks  Networks
	Limiter   Limiter
	Memory    Memory
	Confirmer Confirmer
	Capturer  Capturer
	Log       *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Keys finds what is configured for a tenant's provider.
type Keys interface {
	// Keys of the pair; none means that it is not configured.
	Keys(tenant, provider string) []verify.Key
	// VerifyToken reports whether token is one of the pair's verify tokens,
	// which handshakes repeat.
	VerifyToken(tenant, provider, token string) bool
}

// Producer writes records, those of one key in their order, and returns nil once
// every one is stored for good.
type Producer interface {
	ProduceAll(ctx context.Context, records []*kgo.Record) error
}

// Networks says from where a tenant's provider may send. Client is an
// http.Request's RemoteAddr.
type Networks interface {
	Allows(tenant, provider, client string) bool
}

// Limiter bounds the rate of a tenant's provider. A request costs as many tokens
// as its verification costs compared with an HMAC. It is only asked about pairs
// that are configured.
type Limiter interface {
	Allow(tenant, provider string, cost int) (retryAfter time.Duration, ok bool)
}

// Memory bounds the bytes that the bodies in flight hold together. TryAcquire
// takes them at once or not at all.
type Memory interface {
	TryAcquire(bytes int64) bool
	Release(bytes int64)
}

// Confirmer sends confirmations, to URLs whose host was pinned, where that is
// allowed.
type Confirmer interface {
	Confirms() bool
	Confirm(ctx context.Context, url string) error
}

// Capturer keeps a secret that a provider sends to an endpoint without keys, for
// an operator to put in force.
type Capturer interface {
	// Captures reports whether the pair may be sent one.
	Captures(tenant, provider string) bool
	Capture(tenant, provider, secret string) error
}
