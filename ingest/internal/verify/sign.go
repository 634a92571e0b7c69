// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/ingest/internal/secret"
	"github.com/hookstream/hookstream/schemas/provider"
)

// Sign is the filter of that name: the HMAC of text under the first key, by the
// definition's first hmac scheme. It reports false where there is none.
func (v *Verifier) Sign(text string, keys []Key) (string, bool) {
	i := slices.IndexFunc(v.alternatives, func(a *alternative) bool { return a.spec.Scheme == provider.HMAC })
	if i < 0 {
		return "", false
	}
	a := v.alternatives[i]
	at := newAttempt(a, nil, keys, time.Time{})
	defer at.free()
	if len(at.keys) == 0 {
		return "", false
	}
	at.pieces = append(at.pieces, piece{bytes: at.keep(text)})
	return a.encode(at.digest(at.keys[0])), true
}

func (a *alternative) encode(signature []byte) string {
	if a.spec.Encoding == "hex" {
		return hex.EncodeToString(signature)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

// SignRequest signs r, whose body is given, as the provider would: it adds the
// headers, or the query parameter, that the first scheme wants which the secret
// fits. For ed25519 and ecdsa the secret is the private key in PEM (PKCS #8). It
// returns the scheme's name.
func (v *Verifier) SignRequest(r *http.Request, body []byte, s secret.Secret, now time.Time) (string, error) {
	errs := []error{errors.New("no scheme of the definition signs with this secret")}
	for _, a := range v.alternatives {
		key, err := a.signer(s)
		if err == nil {
			err = a.signRequest(r, body, key, v.fields, now)
		}
		if err == nil {
			return a.label, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", a.label, err))
	}
	return "", errors.Join(errs...)
}

// signer is a key to sign with: for public key schemes the private one.
func (a *alternative) signer(s secret.Secret) (*form, error) {
	switch a.spec.Scheme {
	case provider.RSA, provider.JSONWebToken, provider.MTLS:
		return nil, errors.New("only the provider can sign")
	case provider.Ed25519, provider.ECDSA:
		return privateKey(s)
	}
	return a.newForm(s)
}

func privateKey(s secret.Secret) (*form, error) {
	block, _ := pem.Decode([]byte(s.Reveal()))
	if block == nil {
		return nil, errors.New("the secret is not a private key in PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the secret is not a private key in PKCS #8")
	}
	return &form{public: key}, nil
}

func (a *alternative) signRequest(r *http.Request, body []byte, key *form, fields *request.Fields, now time.Time) error {
	if a.spec.Signature.Body != "" {
		return errors.New("the signature is part of the body")
	}
	for _, c := range a.spec.When {
		if c.Ref.Kind == provider.RefHeader && c.Value != "*" {
			r.Header.Set(c.Ref.Name, c.Value)
		}
	}
	a.stamp(r, now)
	at := newAttempt(a, request.New(r, body, fields, ""), nil, now)
	defer at.free()
	if !a.spec.When.Hold(at.req.Lookup) {
		return errors.New("the request is not one that the scheme is for")
	}
	signature, err := at.sign(key)
	if err != nil {
		return err
	}
	a.attach(r, signature)
	return nil
}

// stamp writes the time, and an id for each other header that is signed and
// missing.
func (a *alternative) stamp(r *http.Request, now time.Time) {
	if t := a.spec.Timestamp; t != nil && t.Header != "" {
		r.Header.Set(t.Header, t.Prefix+formatTime(t.Unit, now))
	}
	for _, ref := range a.spec.Signed.Refs() {
		if ref.Kind == provider.RefHeader && !ref.Optional && r.Header.Get(ref.Name) == "" {
			r.Header.Set(ref.Name, "msg_"+strings.ToLower(rand.Text()))
		}
	}
}

func formatTime(unit provider.Unit, now time.Time) string {
	switch unit {
	case provider.Milliseconds:
		return strconv.FormatInt(now.UnixMilli(), 10)
	case provider.RFC3339:
		return now.UTC().Format(time.RFC3339)
	case provider.DateTime:
		return now.UTC().Format("2006-01-02T15:04:05")
	}
	return strconv.FormatInt(now.Unix(), 10)
}

// sign is the request's signature as text.
func (at *attempt) sign(key *form) (string, error) {
	switch at.spec.Scheme {
	case provider.Token:
		return string(key.bytes), nil
	case provider.Basic:
		credentials := base64.StdEncoding.EncodeToString(key.bytes)
		if at.spec.Signature.Prefix != "" {
			return credentials, nil
		}
		return "Basic " + credentials, nil
	case provider.Twilio:
		parameters, err := signedParameters(at.req)
		if err != nil {
			return "", err
		}
		at.pieces = append(at.pieces, piece{bytes: at.keep(at.req.URL())}, piece{bytes: parameters})
		return at.encode(at.digest(key)), nil
	}
	if err := at.content(); err != nil {
		return "", err
	}
	if key.macs != nil {
		return at.encode(at.digest(key)), nil
	}
	signature, err := at.signPrivately(key.public)
	return at.encode(signature), err
}

func (at *attempt) signPrivately(key any) ([]byte, error) {
	message := at.message(nil)
	switch key := key.(type) {
	case ed25519.PrivateKey:
		if at.spec.Scheme == provider.Ed25519 {
			return key.Sign(nil, message, crypto.Hash(0))
		}
	case *ecdsa.PrivateKey:
		if at.spec.Scheme == provider.ECDSA {
			sum := sha256.Sum256(message)
			return ecdsa.SignASN1(rand.Reader, key, sum[:])
		}
	}
	return nil, fmt.Errorf("the private key is not one for %s", at.spec.Scheme)
}

// attach puts the signature where the scheme looks for it, beside the timestamp
// where both share a header.
func (a *alternative) attach(r *http.Request, signature string) {
	at := &a.spec.Signature
	text := at.Prefix + signature
	if at.Query != "" {
		query := r.URL.Query()
		query.Set(at.Query, text)
		r.URL.RawQuery = query.Encode()
		return
	}
	if t := a.spec.Timestamp; t != nil && strings.EqualFold(t.Header, at.Header) {
		text = r.Header.Get(at.Header) + at.Separator + text
	}
	r.Header.Set(a.signature.headers[0], text)
}
