// SPDX-License-Identifier: Apache-2.0

// Package verify checks the signature of a request as its provider's definition
// says, and signs requests the same way for tests.
package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Verifier is a definition's verification, compiled. It is safe for concurrent
// use.
type Verifier struct {
	alternatives []*alternative
	perItem      bool
	cost         int
	// fields are for requests that are signed here.
	fields *request.Fields
}

// Verifiers are those of a catalog, by provider.
type Verifiers map[string]*Verifier

// alternative is one of the definition's schemes.
type alternative struct {
	index     int
	spec      *provider.Verify
	label     string
	scheme    scheme
	signature location
	time      location
}

// scheme is a way to verify.
type scheme interface {
	// prepare derives what the scheme needs from a decoded secret, and
	// refuses one that cannot be its key.
	prepare(f *form) error
	// present reports whether the request carries a signature of the scheme.
	present(req *request.Request) bool
	// check returns the index of the key under which the request is genuine.
	// An error is always an *Error.
	check(ctx context.Context, at *attempt) (int, error)
}

// Result is what verification found out.
type Result struct {
	// By is the scheme, and Scheme its name, or what it is where the
	// definition gives it none.
	By     *provider.Verify
	Scheme string
	// KeyID tells which secret it was without telling anything about it.
	KeyID string
	// Key is that secret's place among those of the pair.
	Key int
}

// Compile prepares a definition's verification.
func Compile(def *provider.Definition, trust Trust) (*Verifier, error) {
	v := &Verifier{fields: request.NewFields(def)}
	for i := range def.Verify {
		spec := &def.Verify[i]
		a := &alternative{index: i, spec: spec, label: spec.Name, signature: newLocation(&spec.Signature)}
		if a.label == "" {
			a.label = string(spec.Scheme)
		}
		if spec.Timestamp != nil {
			a.time = newLocation(&spec.Timestamp.Location)
		}
		var err error
		if a.scheme, err = newScheme(a, trust); err != nil {
			return nil, def.Problem(err.Error(), "verify", i)
		}
		v.alternatives = append(v.alternatives, a)
		v.perItem = v.perItem || spec.PerItem
		v.cost = max(v.cost, costs[spec.Scheme])
	}
	if err := v.keepApart(); err != nil {
		return nil, def.Problem(err.Error(), "verify")
	}
	return v, nil
}

func newScheme(a *alternative, trust Trust) (scheme, error) {
	switch a.spec.Scheme {
	case provider.HMAC, provider.Hash:
		return newDigest(a)
	case provider.Ed25519, provider.ECDSA:
		return newPublicKey(a)
	case provider.RSA:
		return newCertified(a, trust)
	case provider.JSONWebToken:
		return newToken(a, trust)
	case provider.Twilio:
		return newForm(a)
	case provider.Token:
		return clearToken{a}, nil
	case provider.Basic:
		return basic{a}, nil
	case provider.MTLS:
		return clientCertificate{}, nil
	}
	return nil, fmt.Errorf("the scheme %q is not known", a.spec.Scheme)
}

// costs say how much CPU a request takes, in requests with an HMAC.
var costs = map[provider.Scheme]int{
	provider.HMAC: 1, provider.Hash: 1, provider.Twilio: 1, provider.Token: 1, provider.Basic: 1, provider.MTLS: 1,
	provider.RSA: 13, provider.JSONWebToken: 15, provider.Ed25519: 19, provider.ECDSA: 24,
}

// public are the schemes whose configured secret is known to others: a public
// key, or a name.
var public = map[provider.Scheme]bool{
	provider.RSA: true, provider.JSONWebToken: true, provider.Ed25519: true, provider.ECDSA: true, provider.MTLS: true,
}

// keepApart refuses definitions under which a public key would be a valid
// secret of another scheme, so that everyone could sign with it.
func (v *Verifier) keepApart() error {
	confidential := false
	for _, a := range v.alternatives {
		confidential = confidential || !public[a.spec.Scheme]
	}
	for _, a := range v.alternatives {
		if confidential && public[a.spec.Scheme] && (!a.spec.Secret.Required || a.spec.Secret.Prefix == "") {
			return fmt.Errorf("the secret of the scheme %s is no secret, so beside a scheme with one it needs secret.prefix and secret.required, or it could be taken for the other's", a.label)
		}
	}
	return nil
}

// CompileAll compiles the verification of every definition.
func CompileAll(catalog provider.Catalog, trust Trust) (Verifiers, error) {
	all := Verifiers{}
	for name, def := range catalog {
		v, err := Compile(def, trust)
		if err != nil {
			return nil, err
		}
		all[name] = v
	}
	return all, nil
}

// SignatureHeader is the header that carries the signature under the first
// scheme, or "" where it is elsewhere.
func (v *Verifier) SignatureHeader() string { return v.alternatives[0].spec.Signature.Header }

// Cost is how much CPU a request takes under the dearest scheme, in requests with
// an HMAC, for limits that apply before a request is read.
func (v *Verifier) Cost() int { return v.cost }

// PerItem reports whether the items of the request's batch are verified one by
// one instead of the request as a whole.
func (v *Verifier) PerItem(req *request.Request, keys []Key) bool {
	if !v.perItem {
		return false
	}
	a, err := v.choose(req, keys)
	return err == nil && a.spec.PerItem
}

// Verify checks that one of keys signed the request, and that its signed time,
// where the scheme has one, lies within the tolerance of now. An error is always
// an *Error.
func (v *Verifier) Verify(ctx context.Context, req *request.Request, keys []Key, now time.Time) (Result, error) {
	a, err := v.choose(req, keys)
	if err != nil {
		return Result{}, err
	}
	at := newAttempt(a, req, keys, now)
	defer at.free()
	i, err := a.scheme.check(ctx, at)
	if err != nil {
		return Result{}, err
	}
	return Result{By: a.spec, Scheme: a.label, KeyID: at.keys[i].id, Key: at.places[i]}, nil
}

// choose finds the first scheme that applies: its conditions hold, there is a
// key for it, and the request carries its signature. What is there and is no
// signature leaves a request to schemes that are as strong, not to weaker ones.
func (v *Verifier) choose(req *request.Request, keys []Key) (*alternative, error) {
	var first *alternative
	broken := false
	for _, a := range v.alternatives {
		if !has(keys, a.index) {
			continue
		}
		if first == nil {
			first = a
		}
		if broken && a.spec.Weaker != nil {
			break
		}
		if len(a.spec.When) > 0 && !a.spec.When.Hold(req.Lookup) {
			continue
		}
		if a.scheme.present(req) {
			return a, nil
		}
		broken = broken || a.signature.occupied(req)
	}
	return nil, v.unsigned(req, keys, first)
}

// unsigned says what is missing under the first scheme that has a key.
func (v *Verifier) unsigned(req *request.Request, keys []Key, a *alternative) *Error {
	weak := v.refusedWeaker(req, keys)
	switch {
	case a == nil:
		return refuse(MissingSignature, "no secret is configured")
	case weak != nil && (!a.spec.When.Hold(req.Lookup) || !a.signature.occupied(req)):
		return refuse(WeakScheme, "the request is signed by %s, which is not taken here: %s. What counts is %s; HOOKSTREAM_WEAKER_SCHEMES can allow %[1]s",
			weak.label, weak.spec.Weaker.Why, a.named())
	case a.spec.Scheme == provider.MTLS:
		return refuse(MissingSignature, "the connection has no verified client certificate")
	case a.signature.occupied(req):
		return refuse(MalformedSignature, "%s holds no signature%s", &a.signature, a.signature.withPrefix())
	}
	return refuse(MissingSignature, "%s is missing", &a.signature)
}

// refusedWeaker is a weaker scheme that is not in force under the keys and has
// signed the request, or nil.
func (v *Verifier) refusedWeaker(req *request.Request, keys []Key) *alternative {
	for _, a := range v.alternatives {
		if a.spec.Weaker != nil && !has(keys, a.index) && a.spec.When.Hold(req.Lookup) && a.scheme.present(req) {
			return a
		}
	}
	return nil
}

// named is the scheme and where its signature is, for an answer.
func (a *alternative) named() string {
	if a.spec.Scheme == provider.MTLS {
		return a.label
	}
	return fmt.Sprintf("%s in %s", a.label, &a.signature)
}
