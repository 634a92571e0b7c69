// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/stage/jwks"
)

// token is a JSON Web Token under a published key set.
type token struct {
	*alternative
	set *jwks.Set
}

func newToken(a *alternative, trust Trust) (*token, error) {
	if a.spec.JWT == nil {
		return nil, errors.New("the scheme jwt needs jwt")
	}
	set, err := jwks.New(a.spec.JWT.Keys, trust.fetcher(), a.spec.JWT.Algorithms...)
	return &token{a, set}, err
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
	signed, err := t.set.Verify(ctx, t.signature.first(at.req))
	if err == nil {
		err = signed.ValidAt(at.now)
	}
	if err != nil {
		return 0, t.refuse(err)
	}
	return t.checkClaims(signed, at.keys)
}

// refuse tells the sender what is wrong with the token.
func (t *token) refuse(err error) *Error {
	switch {
	case errors.Is(err, jwks.ErrUnavailable):
		return unavailable(err)
	case errors.Is(err, jwks.ErrUnknownKey):
		return refuse(SignatureMismatch, "the token in %s names a key that is not in the set", &t.signature)
	case errors.Is(err, jwks.ErrMismatch):
		return refuse(SignatureMismatch, "the token in %s is not signed with the key that it names", &t.signature)
	case errors.Is(err, jwks.ErrNoExpiry):
		return refuse(MissingTimestamp, "the token in %s does not say when it expires", &t.signature)
	case errors.Is(err, jwks.ErrNotNow):
		return refuse(TimestampOutsideTolerance, "the token in %s has expired or is not valid yet; check both clocks", &t.signature)
	}
	return refuse(MalformedSignature, "%s holds no token that is signed with %s and names its key", &t.signature, strings.Join(t.spec.JWT.Algorithms, " or "))
}

// checkClaims checks what every token must say, and which secret is what this
// one says.
func (t *token) checkClaims(signed *jwks.Token, keys []*form) (int, error) {
	if !slices.Contains(t.spec.JWT.Issuers, signed.Issuer) {
		return 0, refuse(ClaimMismatch, "the token in %s is from another issuer", &t.signature)
	}
	for name, want := range t.spec.JWT.Claims {
		if !says(signed.All[name], want) {
			return 0, refuse(ClaimMismatch, "the claim %s of the token in %s is another than the definition's", name, &t.signature)
		}
	}
	for i, f := range keys {
		if t.saysAll(signed.All, f.words) {
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
