// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Key is one configured secret, decoded for every scheme of its provider that it
// fits. It never prints.
type Key struct {
	// forms has one entry an alternative, nil where the secret does not fit.
	forms []*form
}

// form is a secret as one scheme uses it.
type form struct {
	id    string
	bytes []byte
	// digest stands for the secret in comparisons, so that their time does
	// not tell its length.
	digest [sha256.Size]byte
	// macs are keyed HMAC states: keying one costs as much as a small body.
	macs *sync.Pool
	// public is an ed25519.PublicKey or *ecdsa.PublicKey.
	public any
	// words are what the claims of a token must be.
	words []string
}

// Format hides the key from every verb of fmt.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// has reports whether one of keys fits an alternative.
func has(keys []Key, alternative int) bool {
	for i := range keys {
		if keys[i].forms[alternative] != nil {
			return true
		}
	}
	return false
}

// newKey decodes a secret for every scheme that it fits, at least one. The
// prefix that a scheme requires claims the secret: it is nothing for schemes
// without that prefix, so that a public key is never taken for a shared secret.
// Errors quote nothing of the secret.
func (v *Verifier) newKey(s secret.Secret) (Key, error) {
	k := Key{forms: make([]*form, len(v.alternatives))}
	claimed := v.claimed(s)
	var errs []error
	fits := false
	for i, a := range v.alternatives {
		if claimed != "" && claimed != a.spec.Secret.Prefix {
			continue
		}
		f, err := a.newForm(s)
		if err != nil && len(v.alternatives) > 1 {
			err = fmt.Errorf("for %s: %w", a.label, err)
		}
		errs = append(errs, err)
		k.forms[i] = f
		fits = fits || f != nil
	}
	if !fits {
		return Key{}, errors.Join(errs...)
	}
	return k, nil
}

// claimed is the required prefix that the secret begins with, or "".
func (v *Verifier) claimed(s secret.Secret) string {
	for _, a := range v.alternatives {
		how := &a.spec.Secret
		if how.Required && how.Prefix != "" && strings.HasPrefix(s.Reveal(), how.Prefix) {
			return how.Prefix
		}
	}
	return ""
}

// newForm decodes a secret for one scheme. Its id, which goes on records, tells
// keys apart and nothing about them: the first 8 hexadecimal digits of
// HMAC-SHA256 under the key over "hookstream key id".
func (a *alternative) newForm(s secret.Secret) (*form, error) {
	data, err := decode(&a.spec.Secret, s)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, data)
	mac.Write([]byte("hookstream key id"))
	f := &form{id: hex.EncodeToString(mac.Sum(nil)[:4]), bytes: data, digest: sha256.Sum256(data)}
	if err := a.scheme.prepare(f); err != nil {
		return nil, err
	}
	return f, nil
}

func decode(how *provider.Secret, s secret.Secret) ([]byte, error) {
	text, found := strings.CutPrefix(s.Reveal(), how.Prefix)
	if how.Required && !found {
		return nil, fmt.Errorf("the secret does not begin with %s", how.Prefix)
	}
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
	switch {
	case err != nil && how.Prefix != "" && !how.Required:
		return nil, fmt.Errorf("the secret is not %s, after %s or without it", how.Encoding, how.Prefix)
	case err != nil:
		return nil, fmt.Errorf("the secret is not %s", how.Encoding)
	case len(key) == 0:
		return nil, errors.New("the secret is empty") // anyone can sign with an empty key
	}
	return key, nil
}

// Keyring holds the keys and verify tokens of every tenant and provider. It does
// not change once it is built, so it is safe for concurrent use.
type Keyring struct{ pairs map[secret.Pair]*pair }

// pair is what one tenant has configured for one provider.
type pair struct {
	keys []Key
	// tokens are digests of the verify tokens.
	tokens [][sha256.Size]byte
}

// NewKeyring decodes the configured secrets as their providers say. A weaker scheme
// has keys where the pair has none for a stronger one, or where allow, which may be
// nil, names it. The error joins every problem and names where the secret was
// configured.
func NewKeyring(entries []secret.Entry, verifiers Verifiers, allow Allow) (*Keyring, error) {
	ring := &Keyring{pairs: map[secret.Pair]*pair{}}
	var errs []error
	for i := range entries {
		if err := ring.add(&entries[i], verifiers); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", entries[i].Origin, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for of, p := range ring.pairs {
		verifiers[of.Provider].requireStrong(p.keys, func(scheme string) bool { return allow != nil && allow(of, scheme) })
	}
	return ring, nil
}

func (r *Keyring) add(e *secret.Entry, verifiers Verifiers) error {
	v, ok := verifiers[e.Provider]
	if !ok {
		return fmt.Errorf("no definition of a provider %q", e.Provider)
	}
	p, ok := r.pairs[e.Pair]
	if !ok {
		p = &pair{}
		r.pairs[e.Pair] = p
	}
	if e.VerifyToken {
		p.tokens = append(p.tokens, sha256.Sum256([]byte(e.Secret.Reveal())))
		return nil
	}
	key, err := v.newKey(e.Secret)
	if err == nil {
		p.keys = append(p.keys, key)
	}
	return err
}

// Keys are those of one tenant and provider, in the order they were configured;
// none where the pair is not configured.
func (r *Keyring) Keys(tenant, providerName string) []Key {
	if p, ok := r.pairs[secret.Pair{Tenant: tenant, Provider: providerName}]; ok {
		return p.keys
	}
	return nil
}

// VerifyToken reports whether token is one of the pair's verify tokens, which
// handshakes repeat.
func (r *Keyring) VerifyToken(tenant, providerName, token string) bool {
	p, ok := r.pairs[secret.Pair{Tenant: tenant, Provider: providerName}]
	if !ok {
		return false
	}
	digest, found := sha256.Sum256([]byte(token)), 0
	for i := range p.tokens {
		found |= subtle.ConstantTimeCompare(digest[:], p.tokens[i][:])
	}
	return found == 1
}

// Len counts the pairs that are configured.
func (r *Keyring) Len() int { return len(r.pairs) }

// Pairs lists the pairs that are configured.
func (r *Keyring) Pairs() []secret.Pair { return slices.Collect(maps.Keys(r.pairs)) }
