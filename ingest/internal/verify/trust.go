// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/x509"
	"errors"
)

// Fetcher gets certificates and key sets.
type Fetcher interface {
	// Fetch returns the document at an https URL that was pinned, from a cache
	// where it is fresh. It is not changed.
	Fetch(ctx context.Context, url string) ([]byte, error)
	// Refresh is Fetch past the cache, at most now and then.
	Refresh(ctx context.Context, url string) ([]byte, error)
}

// Trust is what verification relies on besides the configured secrets.
type Trust struct {
	// Fetcher may be nil: then nothing is fetched, and schemes that need it
	// find no keys.
	Fetcher Fetcher
	// Roots that certificates must chain to; nil is the system's.
	Roots *x509.CertPool
}

func (t *Trust) fetcher() Fetcher {
	if t.Fetcher == nil {
		return nowhere{}
	}
	return t.Fetcher
}

// nowhere is where nothing can be fetched.
type nowhere struct{}

var errNowhere = errors.New("nothing can be fetched here")

func (nowhere) Fetch(context.Context, string) ([]byte, error)   { return nil, errNowhere }
func (nowhere) Refresh(context.Context, string) ([]byte, error) { return nil, errNowhere }

// unavailable says that the request should be sent again.
func unavailable(err error) *Error {
	return &Error{Cause: KeysUnavailable, Detail: "the keys to verify with could not be fetched; send it again", Err: err}
}
