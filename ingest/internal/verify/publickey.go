// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"errors"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// maxAsymmetric is how many signatures of a request are tried with each key,
// each as dear as twenty HMACs. Senders that rotate send two.
const maxAsymmetric = 4

// publicKey is a signature by a key whose public half is configured.
type publicKey struct{ *alternative }

func newPublicKey(a *alternative) (*publicKey, error) { return &publicKey{a}, nil }

func (p *publicKey) prepare(f *form) error {
	if p.spec.Scheme == provider.ECDSA {
		return prepareECDSA(f)
	}
	if len(f.bytes) != ed25519.PublicKeySize {
		return errors.New("the secret is not an Ed25519 public key of 32 bytes")
	}
	f.public = ed25519.PublicKey(f.bytes)
	return nil
}

func prepareECDSA(f *form) error {
	parsed, err := x509.ParsePKIXPublicKey(f.bytes)
	key, ok := parsed.(*ecdsa.PublicKey)
	if err != nil || !ok || key.Curve != elliptic.P256() {
		return errors.New("the secret is not an ECDSA public key on P-256 in DER (SubjectPublicKeyInfo)")
	}
	f.public = key
	return nil
}

func (p *publicKey) present(req *request.Request) bool { return p.signature.first(req) != "" }

func (p *publicKey) check(_ context.Context, at *attempt) (int, error) {
	size := 0 // DER varies
	if p.spec.Scheme == provider.Ed25519 {
		size = ed25519.SignatureSize
	}
	if err := at.decodeSignatures(size, maxAsymmetric); err != nil {
		return 0, err
	}
	if err := at.content(); err != nil {
		return 0, err
	}
	message := at.message(nil)
	for i, f := range at.keys {
		for _, signature := range at.signatures {
			if f.verifies(message, signature) {
				return i, nil
			}
		}
	}
	return 0, at.mismatch()
}

func (f *form) verifies(message, signature []byte) bool {
	switch key := f.public.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(message)
		return ecdsa.VerifyASN1(key, sum[:], signature)
	}
	return false
}
