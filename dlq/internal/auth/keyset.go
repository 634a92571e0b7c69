// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// keysFor is how long a set is used, as keys are also taken back.
	keysFor = 10 * time.Minute
	// keysAgain is how soon an unknown key, or a failure, has it fetched again:
	// strangers can name any key.
	keysAgain = 10 * time.Second
	// keysTimeout and maxKeysBytes bound a fetch.
	keysTimeout  = 5 * time.Second
	maxKeysBytes = 1 << 20
)

// KeySet is a published set of keys (RFC 7517), which is fetched when it is
// needed. While it cannot be fetched, the keys before stay in force.
type KeySet struct {
	url    string
	client *http.Client
	log    *slog.Logger
	now    func() time.Time

	mu sync.Mutex
	// tried and fetched are the times of the last attempt and success.
	tried, fetched time.Time
	keys           []jose.JSONWebKey
}

// NewKeySet is the set at url, which is fetched with client.
func NewKeySet(url string, client *http.Client, log *slog.Logger, now func() time.Time) *KeySet {
	return &KeySet{url: url, client: client, log: log, now: now}
}

// key finds the key that a token names, which must be meant for its signature.
// One request fetches while others wait for it.
func (s *KeySet) key(ctx context.Context, h *jose.Header) (*jose.JSONWebKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(h)
	now := s.now()
	if k != nil && now.Sub(s.fetched) < keysFor || now.Sub(s.tried) < keysAgain {
		return s.known(k)
	}
	s.tried = now
	keys, err := s.fetch(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "cannot fetch the keys of the OpenID provider", "url", s.url, "error", err)
		return s.known(k)
	}
	s.keys, s.fetched = keys, now
	return s.known(s.find(h))
}

// known is k; without a set it cannot be said whether there is one.
func (s *KeySet) known(k *jose.JSONWebKey) (*jose.JSONWebKey, error) {
	switch {
	case k != nil:
		return k, nil
	case s.fetched.IsZero():
		return nil, ErrUnavailable
	}
	return nil, ErrInvalid
}

func (s *KeySet) find(h *jose.Header) *jose.JSONWebKey {
	for i := range s.keys {
		k := &s.keys[i]
		if k.KeyID == h.KeyID && (k.Use == "" || k.Use == "sig") && (k.Algorithm == "" || k.Algorithm == h.Algorithm) {
			return k
		}
	}
	return nil
}

func (s *KeySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	// What one caller gives up waiting for, the next needs too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered %s", res.Status)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxKeysBytes)).Decode(&set); err != nil {
		return nil, fmt.Errorf("the answer is no key set: %w", err)
	}
	return public(set.Keys), nil
}

// public are the keys that can verify. Those of a kind that we do not know are
// left out, as RFC 7517, section 5, wants.
func public(raw []json.RawMessage) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, text := range raw {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(text) == nil && k.Valid() && k.IsPublic() {
			keys = append(keys, k)
		}
	}
	return keys
}
