// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hookstream/hookstream/stage/jwks"
	"github.com/hookstream/hookstream/stage/outbound"
)

// maxSubject bounds what is written to resolutions.
const maxSubject = 256

// Keys is the key set at url: fetched again after ten minutes, as keys are also
// taken back, and for an unknown key every ten seconds at most. Transport and now
// may be nil.
func Keys(url string, transport http.RoundTripper, now func() time.Time) (*jwks.Set, error) {
	return jwks.New(url, outbound.New(outbound.Config{
		Mode: outbound.Keys, Loopback: true, FreshFor: 10 * time.Minute, RefreshEvery: 10 * time.Second,
		Transport: transport, Now: now,
	}))
}

// OIDC accepts JSON Web Tokens that an OpenID provider signed for
// this service.
type OIDC struct {
	// Issuer and Audience are what a token must be from and for.
	Issuer, Audience string
	// Keys that tokens are signed with.
	Keys *jwks.Set
	// ScopeClaim holds the token's scopes, as text with spaces between or as a
	// list.
	ScopeClaim string
	// Scopes are what of the claim's values gives which scope.
	Scopes map[string]Scope
	// SubjectClaim names the caller.
	SubjectClaim string
	// Now is the clock.
	Now func() time.Time
	Log *slog.Logger
}

func (o *OIDC) caller(ctx context.Context, token string) (*Caller, error) {
	signed, err := o.Keys.Verify(ctx, token)
	switch {
	case errors.Is(err, jwks.ErrUnavailable):
		o.Log.WarnContext(ctx, "cannot check a token", "error", err)
		return nil, ErrUnavailable
	case err != nil:
		return nil, ErrInvalid
	}
	if err := o.valid(signed); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	subject := texts(signed.All[o.SubjectClaim])
	if len(subject) != 1 || subject[0] == "" || len(subject[0]) > maxSubject {
		return nil, fmt.Errorf("%w: it does not say in %s who has it", ErrInvalid, o.SubjectClaim)
	}
	return &Caller{Name: "oidc/" + subject[0], Scopes: o.scopes(signed.All[o.ScopeClaim])}, nil
}

// valid tells the caller what is wrong: the signature is the provider's already.
func (o *OIDC) valid(t *jwks.Token) error {
	switch {
	case t.Issuer != o.Issuer:
		return errors.New("it is from another issuer")
	case !t.Audience.Contains(o.Audience):
		return errors.New("it is for another audience")
	}
	return t.ValidAt(o.Now())
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
