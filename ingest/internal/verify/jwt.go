// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/hookstream/hookstream/ingest/internal/request"
)

// leeway is how far clocks may differ.
const leeway = time.Minute

// token is a JSON Web Token (RFC 7519) under a published key set (RFC 7517).
type token struct {
	*alternative
	algorithms []jose.SignatureAlgorithm
	trust      Trust
	last       memo[[]jose.JSONWebKey]
}

func newToken(a *alternative, trust Trust) (*token, error) {
	if a.spec.JWT == nil {
		return nil, errors.New("the scheme jwt needs jwt")
	}
	t := &token{alternative: a, trust: trust}
	for _, name := range a.spec.JWT.Algorithms {
		// With an HMAC, the published key would be the secret.
		if name == "none" || strings.HasPrefix(name, "HS") {
			return nil, fmt.Errorf("the algorithm %s proves nothing under a published key", name)
		}
		t.algorithms = append(t.algorithms, jose.SignatureAlgorithm(name))
	}
	return t, nil
}

// prepare splits the secret into what the token must say.
func (t *token) prepare(f *form) error {
	f.words = strings.Fields(string(f.bytes))
	if len(f.words) != len(t.spec.JWT.Secret) {
		return fmt.Errorf("the secret is not the values of %s, separated by spaces", strings.Join(t.spec.JWT.Secret, " and "))
	}
	return nil
}

func (t *token) present(req *request.Request) bool { return t.signature.first(req) != "" }

func (t *token) check(ctx context.Context, at *attempt) (int, error) {
	parsed, err := jwt.ParseSigned(t.signature.first(at.req), t.algorithms)
	if err != nil || len(parsed.Headers) != 1 || parsed.Headers[0].KeyID == "" {
		return 0, refuse(MalformedSignature, "%s holds no token that is signed with %s and names its key", &t.signature, strings.Join(t.spec.JWT.Algorithms, " or "))
	}
	key, err := t.key(ctx, &parsed.Headers[0])
	if err != nil {
		return 0, err
	}
	var registered jwt.Claims
	var claims map[string]json.RawMessage
	if parsed.Claims(key, &registered, &claims) != nil {
		return 0, refuse(SignatureMismatch, "the token in %s is not signed with the key that it names", &t.signature)
	}
	if err := t.checkTimes(&registered, at.now); err != nil {
		return 0, err
	}
	return t.checkClaims(&registered, claims, at.keys)
}

// key finds the key that the token names. One that is not in the set may be new,
// so the set is fetched again, now and then.
func (t *token) key(ctx context.Context, header *jose.Header) (*jose.JSONWebKey, error) {
	for _, again := range []bool{false, true} {
		doc, err := t.trust.fetch(ctx, t.spec.JWT.Keys, again)
		if err != nil {
			return nil, err
		}
		set := t.last.get(doc, keySet)
		if set == nil {
			return nil, &Error{Cause: KeysUnavailable, Detail: "the key set to verify with cannot be read; send it again"}
		}
		for i := range set {
			if set[i].KeyID == header.KeyID && signs(&set[i], header.Algorithm) {
				return &set[i], nil
			}
		}
	}
	return nil, refuse(SignatureMismatch, "the token in %s names a key that is not in the set", &t.signature)
}

// keySet reads a key set, or gives nil. Keys of a kind that we do not know are
// left out, as RFC 7517, section 5, wants.
func keySet(doc []byte) []jose.JSONWebKey {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(doc, &raw) != nil {
		return nil
	}
	set := []jose.JSONWebKey{}
	for _, text := range raw.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(text) == nil && key.Valid() {
			set = append(set, key)
		}
	}
	return set
}

// signs reports whether a key is meant for signatures with the algorithm.
func signs(key *jose.JSONWebKey, algorithm string) bool {
	return key.IsPublic() && (key.Use == "" || key.Use == "sig") && (key.Algorithm == "" || key.Algorithm == algorithm)
}

func (t *token) checkTimes(c *jwt.Claims, now time.Time) error {
	if c.Expiry == nil {
		return refuse(MissingTimestamp, "the token in %s does not say when it expires", &t.signature)
	}
	if c.ValidateWithLeeway(jwt.Expected{Time: now}, leeway) != nil {
		return refuse(TimestampOutsideTolerance, "the token in %s has expired or is not valid yet; check both clocks", &t.signature)
	}
	return nil
}

// checkClaims checks what every token must say, and which secret is what this
// one says.
func (t *token) checkClaims(registered *jwt.Claims, claims map[string]json.RawMessage, keys []*form) (int, error) {
	if !slices.Contains(t.spec.JWT.Issuers, registered.Issuer) {
		return 0, refuse(ClaimMismatch, "the token in %s is from another issuer", &t.signature)
	}
	for name, want := range t.spec.JWT.Claims {
		if !says(claims[name], want) {
			return 0, refuse(ClaimMismatch, "the claim %s of the token in %s is another than the definition's", name, &t.signature)
		}
	}
	for i, f := range keys {
		if t.saysAll(claims, f.words) {
			return i, nil
		}
	}
	return 0, refuse(ClaimMismatch, "the claims %s of the token in %s are others than the configured", strings.Join(t.spec.JWT.Secret, ", "), &t.signature)
}

func (t *token) saysAll(claims map[string]json.RawMessage, words []string) bool {
	for i, name := range t.spec.JWT.Secret {
		if !says(claims[name], words[i]) {
			return false
		}
	}
	return true
}

// says reports whether a claim has the value, which may be text, a number or a
// boolean, or one of a list, as audiences are.
func says(claim json.RawMessage, want string) bool {
	var list []json.RawMessage
	if json.Unmarshal(claim, &list) == nil {
		return slices.ContainsFunc(list, func(item json.RawMessage) bool { return scalar(item) == want })
	}
	return scalar(claim) == want
}

func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}
