// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Key is a decoded secret. It never prints.
type Key struct{ bytes []byte }

// Format hides the key from every verb of fmt.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// decodeKey turns a configured secret into the key. Errors quote nothing of it.
func decodeKey(how *provider.Secret, s secret.Secret) (Key, error) {
	text := strings.TrimPrefix(s.Reveal(), how.Prefix)
	var (
		key []byte
		err error
	)
	switch how.Encoding {
	case "base64":
		key, err = base64.StdEncoding.DecodeString(text)
	case "hex":
		key, err = hex.DecodeString(text)
	default:
		key = []byte(text)
	}
	if err != nil {
		if how.Prefix == "" {
			return Key{}, fmt.Errorf("the secret is not %s", how.Encoding)
		}
		return Key{}, fmt.Errorf("the secret is not %s, after %s or without it", how.Encoding, how.Prefix)
	}
	if len(key) == 0 {
		// Anyone can sign with an empty key.
		return Key{}, errors.New("the secret is empty")
	}
	return Key{key}, nil
}

// Schemes are the compiled signature schemes by provider.
type Schemes map[string]*Scheme

// Keyring holds the keys of every tenant and provider. It does not change once
// it is built, so it is safe for concurrent use.
type Keyring struct{ keys map[secret.Pair][]Key }

// NewKeyring decodes the configured secrets as their providers say. The error
// joins every problem and names where the secret was configured.
func NewKeyring(entries []secret.Entry, schemes Schemes) (*Keyring, error) {
	ring := &Keyring{keys: map[secret.Pair][]Key{}}
	var errs []error
	for _, e := range entries {
		scheme, ok := schemes[e.Provider]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: no definition of a provider %q", e.Origin, e.Provider))
			continue
		}
		key, err := decodeKey(&scheme.spec.Secret, e.Secret)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Origin, err))
			continue
		}
		ring.keys[e.Pair] = append(ring.keys[e.Pair], key)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return ring, nil
}

// Keys are the keys of one tenant and provider, in the order they were
// configured; none where the pair is not configured.
func (r *Keyring) Keys(tenant, providerName string) []Key {
	return r.keys[secret.Pair{Tenant: tenant, Provider: providerName}]
}

// Len counts the pairs that have keys.
func (r *Keyring) Len() int { return len(r.keys) }
