// SPDX-License-Identifier: Apache-2.0

package jwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hookstream/hookstream/stage/jwks"
)

// issuer signs tokens and publishes keys.
type issuer struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	old     any
	current any
	down    error
	refresh int
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	i.publish(jose.JSONWebKey{Key: key.Public(), KeyID: "one"})
	return i
}

func (i *issuer) publish(keys ...any) {
	i.current = map[string]any{"keys": keys}
	i.old = i.current
}

func (i *issuer) Fetch(context.Context, string) ([]byte, error) { return i.answer(i.old) }

func (i *issuer) Refresh(context.Context, string) ([]byte, error) {
	i.refresh++
	return i.answer(i.current)
}

func (i *issuer) answer(set any) ([]byte, error) {
	doc, err := json.Marshal(set)
	return doc, errors.Join(err, i.down)
}

func (i *issuer) set(algorithms ...string) *jwks.Set {
	i.t.Helper()
	s, err := jwks.New("https://keys.example/set", i, algorithms...)
	if err != nil {
		i.t.Fatal(err)
	}
	return s
}

func (i *issuer) sign(algorithm jose.SignatureAlgorithm, key any, kid string, claims map[string]any) string {
	i.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

func (i *issuer) token() string {
	i.t.Helper()
	return i.sign(jose.ES256, i.key, "one", map[string]any{"iss": "us", "email": "a@b.example"})
}

func TestVerify(t *testing.T) {
	i := newIssuer(t)
	token, err := i.set().Verify(t.Context(), i.token())
	if err != nil || token.Issuer != "us" || string(token.All["email"]) != `"a@b.example"` || i.refresh != 0 {
		t.Fatalf("%+v, %v", token, err)
	}
	valid := i.token()
	stranger, none := newIssuer(t), map[string]any{}
	for what, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":           {"", jwks.ErrMalformed},
		"too long":          {valid + strings.Repeat("A", 8<<10), jwks.ErrMalformed},
		"names no key":      {i.sign(jose.ES256, i.key, "", none), jwks.ErrMalformed},
		"HMAC":              {i.sign(jose.HS256, []byte(strings.Repeat("k", 32)), "one", none), jwks.ErrMalformed},
		"another key's":     {stranger.token(), jwks.ErrMismatch},
		"an unknown key's":  {i.sign(jose.ES256, i.key, "two", none), jwks.ErrUnknownKey},
		"cut off":           {valid[:strings.LastIndex(valid, ".")+1], jwks.ErrMismatch},
		"with another body": {strings.Join([]string{strings.Split(valid, ".")[0], "e30", strings.Split(valid, ".")[2]}, "."), jwks.ErrMismatch},
	} {
		if token, err := i.set().Verify(t.Context(), c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v, want %v", what, token, err, c.want)
		}
	}
	if token, err := i.set("RS256").Verify(t.Context(), valid); !errors.Is(err, jwks.ErrMalformed) {
		t.Errorf("an algorithm that is not pinned: %+v, %v", token, err)
	}
}

func TestKeysThatProveNothingAreNotUsed(t *testing.T) {
	i := newIssuer(t)
	for what, key := range map[string]any{
		"for encryption":        jose.JSONWebKey{Key: i.key.Public(), KeyID: "one", Use: "enc"},
		"for another algorithm": jose.JSONWebKey{Key: i.key.Public(), KeyID: "one", Algorithm: "ES384"},
		"the private key":       jose.JSONWebKey{Key: i.key, KeyID: "one"},
		"a shared secret":       jose.JSONWebKey{Key: []byte("hunter2"), KeyID: "one"},
		"of a kind unheard of":  map[string]string{"kty": "unheard-of", "kid": "one"},
	} {
		i.publish(key)
		if token, err := i.set().Verify(t.Context(), i.token()); !errors.Is(err, jwks.ErrUnknownKey) {
			t.Errorf("%s: %+v, %v", what, token, err)
		}
	}
	for _, algorithm := range []string{"none", "HS256", "RS1", ""} {
		if _, err := jwks.New("https://keys.example/set", i, algorithm); err == nil {
			t.Errorf("%q is accepted", algorithm)
		}
	}
}

func TestANewKeyIsLookedForAgain(t *testing.T) {
	i := newIssuer(t)
	i.old = map[string]any{"keys": []any{}}
	if _, err := i.set().Verify(t.Context(), i.token()); err != nil || i.refresh != 1 {
		t.Errorf("after %d fetches: %v", i.refresh, err)
	}
	i.down = errors.New("away")
	if _, err := i.set().Verify(t.Context(), i.token()); !errors.Is(err, jwks.ErrUnavailable) || !errors.Is(err, i.down) {
		t.Errorf("without keys: %v", err)
	}
	i.down, i.old = nil, "no set"
	if _, err := i.set().Verify(t.Context(), i.token()); !errors.Is(err, jwks.ErrUnavailable) {
		t.Errorf("with another document: %v", err)
	}
}

func TestTimes(t *testing.T) {
	i := newIssuer(t)
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for what, c := range map[string]struct {
		claims map[string]any
		want   error
	}{
		"never expires": {map[string]any{}, jwks.ErrNoExpiry},
		"valid":         {map[string]any{"exp": now.Unix() + 1}, nil},
		"just expired":  {map[string]any{"exp": now.Unix() - 59}, nil},
		"expired":       {map[string]any{"exp": now.Unix() - 61}, jwks.ErrNotNow},
		"not yet":       {map[string]any{"exp": now.Unix() + 600, "nbf": now.Unix() + 61}, jwks.ErrNotNow},
	} {
		token, err := i.set().Verify(t.Context(), i.sign(jose.ES256, i.key, "one", c.claims))
		if err != nil {
			t.Fatal(err)
		}
		if err := token.ValidAt(now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
}
