// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto"
	"crypto/hmac"
	"fmt"
	"hash"
	"sync"

	"github.com/hookstream/hookstream/ingest/internal/request"
	"github.com/hookstream/hookstream/schemas/provider"
)

// hashes are linked by the imports of algorithms.go.
var hashes = map[string]crypto.Hash{"sha1": crypto.SHA1, "sha256": crypto.SHA256, "sha512": crypto.SHA512}

// maxShared is how many signatures of a request are compared with each key's.
const maxShared = 100

// digest is what both ends compute from a shared secret: an HMAC (RFC 2104), or
// a plain hash over content that contains the secret.
type digest struct {
	*alternative
	hash crypto.Hash
}

func newDigest(a *alternative) (*digest, error) {
	h, err := hashOf(a.spec.Algorithm)
	return &digest{alternative: a, hash: h}, err
}

func hashOf(algorithm string) (crypto.Hash, error) {
	h, ok := hashes[algorithm]
	if !ok {
		return 0, fmt.Errorf("the algorithm %q is not known", algorithm)
	}
	return h, nil
}

func (d *digest) prepare(f *form) error {
	f.macs = macs(d.spec.Scheme, d.hash, f.bytes)
	return nil
}

// macs pools hash states, keyed where the scheme is HMAC.
func macs(s provider.Scheme, h crypto.Hash, key []byte) *sync.Pool {
	return &sync.Pool{New: func() any {
		if s == provider.Hash {
			return h.New()
		}
		return hmac.New(h.New, key)
	}}
}

func (d *digest) present(req *request.Request) bool { return d.signature.first(req) != "" }

func (d *digest) check(_ context.Context, at *attempt) (int, error) {
	if err := at.decodeSignatures(d.hash.Size(), maxShared); err != nil {
		return 0, err
	}
	if err := at.content(); err != nil {
		return 0, err
	}
	for i, f := range at.keys {
		if at.signedWith(f) {
			return i, nil
		}
	}
	return 0, at.mismatch()
}

// signedWith reports whether one of the signatures is that of the content under
// the key.
func (at *attempt) signedWith(f *form) bool {
	sum := at.digest(f)
	for _, signature := range at.signatures {
		if hmac.Equal(sum, signature) { // constant time
			return true
		}
	}
	return false
}

// digest is the hash of the content under a shared secret.
func (at *attempt) digest(f *form) []byte {
	h := f.macs.Get().(hash.Hash) //nolint:errcheck // the pool holds nothing else
	defer f.macs.Put(h)
	h.Reset()
	for _, p := range at.pieces {
		if p.secret {
			p.bytes = f.bytes
		}
		h.Write(p.bytes)
	}
	at.sum = h.Sum(at.sum[:0])
	return at.sum
}
