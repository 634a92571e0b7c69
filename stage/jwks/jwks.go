// SPDX-License-Identifier: Apache-2.0

// Package jwks checks JSON Web Tokens (RFC 7519) under published key sets (RFC
// 7517).
package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hookstream/hookstream/stage/outbound"
)

const (
	// leeway is how far clocks may differ.
	leeway = time.Minute
	// maxToken bounds what is parsed for strangers, in bytes.
	maxToken = 8 << 10
)

// The ways in which a token is refused.
var (
	// ErrMalformed: it is no token that is signed with one of the algorithms
	// and names its key.
	ErrMalformed = errors.New("not a token that is signed with an accepted algorithm and names its key")
	// ErrUnknownKey: the key that it names is not in the set.
	ErrUnknownKey = errors.New("the token names a key that is not in the set")
	// ErrMismatch: it is not signed with the key that it names.
	ErrMismatch = errors.New("the token is not signed with the key that it names")
	// ErrUnavailable: there is no set to check it with. The error that wraps
	// it says why.
	ErrUnavailable = errors.New("the key set cannot be fetched")
	// ErrNoExpiry: it does not say when it expires.
	ErrNoExpiry = errors.New("the token does not say when it expires")
	// ErrNotNow: it has expired or is not valid yet.
	ErrNotNow = errors.New("the token has expired or is not valid yet")
)

// asymmetric are the algorithms that prove something under a published key. With
// an HMAC, that key would be the secret.
var asymmetric = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// Fetcher gets documents, as an outbound.Client does: from a cache, or past it
// now and then.
type Fetcher interface {
	Fetch(ctx context.Context, url string) ([]byte, error)
	Refresh(ctx context.Context, url string) ([]byte, error)
}

// Set is the key set at a URL, and the algorithms that tokens may be signed with.
// It is safe for concurrent use.
type Set struct {
	url        string
	fetcher    Fetcher
	algorithms []jose.SignatureAlgorithm
	keys       outbound.Memo[[]jose.JSONWebKey]
}

// New is the set at url. No algorithms are all asymmetric ones, and others are an
// error.
func New(url string, fetcher Fetcher, algorithms ...string) (*Set, error) {
	s := &Set{url: url, fetcher: fetcher}
	for _, name := range algorithms {
		a := jose.SignatureAlgorithm(name)
		if !slices.Contains(asymmetric, a) {
			return nil, fmt.Errorf("the algorithm %s proves nothing under a published key", name)
		}
		s.algorithms = append(s.algorithms, a)
	}
	if len(algorithms) == 0 {
		s.algorithms = asymmetric
	}
	return s, nil
}

// Token is one that was signed with a key of a set.
type Token struct {
	jwt.Claims
	// All are the token's claims by name.
	All map[string]json.RawMessage
}

// Verify checks the signature of a token in the compact form, and nothing that it
// claims. An error is, or wraps, one of those above.
func (s *Set) Verify(ctx context.Context, text string) (*Token, error) {
	if len(text) > maxToken {
		return nil, ErrMalformed
	}
	parsed, err := jwt.ParseSigned(text, s.algorithms)
	if err != nil || len(parsed.Headers) != 1 || parsed.Headers[0].KeyID == "" {
		return nil, ErrMalformed
	}
	key, err := s.key(ctx, &parsed.Headers[0])
	if err != nil {
		return nil, err
	}
	token := &Token{}
	if parsed.Claims(key, &token.Claims, &token.All) != nil {
		return nil, ErrMismatch
	}
	return token, nil
}

// ValidAt checks the times that the token claims; clocks may differ by a minute.
func (t *Token) ValidAt(now time.Time) error {
	if t.Expiry == nil {
		return ErrNoExpiry
	}
	if t.ValidateWithLeeway(jwt.Expected{Time: now}, leeway) != nil {
		return ErrNotNow
	}
	return nil
}

// key finds the key that a token names. One that is not in the set may be new, so
// the set is fetched again, now and then.
func (s *Set) key(ctx context.Context, h *jose.Header) (*jose.JSONWebKey, error) {
	for _, fetch := range []func(context.Context, string) ([]byte, error){s.fetcher.Fetch, s.fetcher.Refresh} {
		doc, err := fetch(ctx, s.url)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		keys := s.keys.Get(doc, parse)
		if keys == nil {
			return nil, fmt.Errorf("%w: what %s holds is none", ErrUnavailable, s.url)
		}
		for i := range keys {
			if signs(&keys[i], h) {
				return &keys[i], nil
			}
		}
	}
	return nil, ErrUnknownKey
}

// parse reads the keys that can verify, or gives nil. Those of a kind that we do
// not know are left out, as RFC 7517, section 5, wants.
func parse(doc []byte) []jose.JSONWebKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(doc, &set) != nil {
		return nil
	}
	keys := []jose.JSONWebKey{}
	for _, text := range set.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(text) == nil && k.Valid() && k.IsPublic() {
			keys = append(keys, k)
		}
	}
	return keys
}

// signs reports whether a key is the one that a token names, and meant for its
// signature.
func signs(k *jose.JSONWebKey, h *jose.Header) bool {
	return k.KeyID == h.KeyID && (k.Use == "" || k.Use == "sig") && (k.Algorithm == "" || k.Algorithm == h.Algorithm)
}
