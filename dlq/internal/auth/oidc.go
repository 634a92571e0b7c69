// SPDX-License-Identifier: Apache-2.0

package auth

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
)

const (
	// leeway is how far clocks may differ.
	leeway = time.Minute
	// maxTokenBytes bounds what is parsed for strangers.
	maxTokenBytes = 8 << 10
	// maxSubject bounds what is written to resolutions.
	maxSubject = 256
)

// algorithms are the asymmetric ones: with an HMAC, the published key would be
// the secret.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// OIDC accepts JSON Web Tokens (RFC 7519) that an OpenID provider signed for
// this service.
type OIDC struct {
	// Issuer and Audience are what a token must be from and for.
	Issuer, Audience string
	// Keys that tokens are signed with.
	Keys *KeySet
	// ScopeClaim holds the token's scopes, as text with spaces between or as a
	// list.
	ScopeClaim string
	// Scopes are what of the claim's values gives which scope.
	Scopes map[string]Scope
	// SubjectClaim names the caller.
	SubjectClaim string
	// Now is the clock.
	Now func() time.Time
}

func (o *OIDC) caller(ctx context.Context, token string) (*Caller, error) {
	if len(token) > maxTokenBytes {
		return nil, ErrInvalid
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(parsed.Headers) != 1 || parsed.Headers[0].KeyID == "" {
		return nil, ErrInvalid
	}
	key, err := o.Keys.key(ctx, &parsed.Headers[0])
	if err != nil {
		return nil, err
	}
	var registered jwt.Claims
	var claims map[string]json.RawMessage
	if parsed.Claims(key, &registered, &claims) != nil {
		return nil, ErrInvalid
	}
	if err := o.valid(&registered); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	subject := texts(claims[o.SubjectClaim])
	if len(subject) != 1 || subject[0] == "" || len(subject[0]) > maxSubject {
		return nil, fmt.Errorf("%w: it does not say in %s who has it", ErrInvalid, o.SubjectClaim)
	}
	return &Caller{Name: "oidc/" + subject[0], Scopes: o.scopes(claims[o.ScopeClaim])}, nil
}

// valid tells the caller what is wrong: the signature is the provider's already.
func (o *OIDC) valid(c *jwt.Claims) error {
	switch {
	case c.Issuer != o.Issuer:
		return errors.New("it is from another issuer")
	case !c.Audience.Contains(o.Audience):
		return errors.New("it is for another audience")
	case c.Expiry == nil:
		return errors.New("it does not say when it expires")
	case c.ValidateWithLeeway(jwt.Expected{Time: o.Now()}, leeway) != nil:
		return errors.New("it has expired or is not valid yet")
	}
	return nil
}

func (o *OIDC) scopes(claim json.RawMessage) []Scope {
	var scopes []Scope
	for _, text := range texts(claim) {
		for _, word := range strings.Fields(text) {
			if s, ok := o.Scopes[word]; ok && !slices.Contains(scopes, s) {
				scopes = append(scopes, s)
			}
		}
	}
	return scopes
}

// texts are the claim's strings: it is one, or a list of them.
func texts(claim json.RawMessage) []string {
	var one string
	if json.Unmarshal(claim, &one) == nil {
		return []string{one}
	}
	var list []string
	if json.Unmarshal(claim, &list) == nil {
		return list
	}
	return nil
}
