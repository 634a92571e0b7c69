// SPDX-License-Identifier: Apache-2.0

// Package auth says who calls the HTTP API and what they may do: by a bearer
// token (RFC 6750) that a file lists, or that an OpenID provider signed.
package auth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Scope is what a caller may do.
type Scope string

// The scopes.
const (
	// Read is to see dead letters, payloads included, and what was done.
	Read Scope = "read"
	// Simulate is to run the definitions of now, and programs of the caller's own,
	// over dead letters: it takes more of this service than to read.
	Simulate Scope = "simulate"
	// Replay is to send dead letters again, edited or not.
	Replay Scope = "replay"
	// Discard is to close dead letters unsent, and to take that back.
	Discard Scope = "discard"
)

// Scopes are all of them.
func Scopes() []Scope { return []Scope{Read, Simulate, Replay, Discard} }

// Caller is who was authenticated.
type Caller struct {
	// Name is written to resolutions and logs: token/NAME or oidc/SUBJECT.
	Name   string
	Scopes []Scope
}

// May reports whether the caller has the scope.
func (c *Caller) May(s Scope) bool { return slices.Contains(c.Scopes, s) }

// The ways in which nobody is authenticated.
var (
	// ErrMissing: the request has no bearer token.
	ErrMissing = errors.New("send a token: Authorization: Bearer TOKEN")
	// ErrInvalid: nobody has this token, or it has expired.
	ErrInvalid = errors.New("the token is not known, or is not valid any more")
	// ErrUnavailable: the keys that signed tokens are checked with cannot be
	// fetched.
	ErrUnavailable = errors.New("the keys of the OpenID provider cannot be fetched")
)

// Authenticator knows callers by their bearer token.
type Authenticator struct {
	// Tokens is nil where no file lists any, OIDC where it is not configured.
	Tokens *Tokens
	OIDC   *OIDC
}

// Caller is who sends the request. The error is one of ErrMissing, ErrInvalid
// and ErrUnavailable, or wraps it with a detail that is fit for the caller.
func (a *Authenticator) Caller(ctx context.Context, r *http.Request) (*Caller, error) {
	token, ok := bearer(r)
	if !ok {
		return nil, ErrMissing
	}
	if a.Tokens != nil {
		if c := a.Tokens.caller(token); c != nil {
			return c, nil
		}
	}
	if a.OIDC != nil {
		return a.OIDC.caller(ctx, token)
	}
	return nil, ErrInvalid
}

// bearer is the token in the Authorization header. Tokens in URLs and forms,
// which RFC 6750 allows too, would end in logs.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}
