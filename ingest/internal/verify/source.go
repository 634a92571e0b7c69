// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hookstream/hookstream/ingest/internal/secret"
)

// Source is the keyring in force. It reads the secrets again and again and puts
// a changed set in force as a whole, or not at all where anything in it is wrong.
// It compares contents: how files are replaced differs (Kubernetes swaps a link
// two folders up).
type Source struct {
	read      func() ([]secret.Entry, error)
	verifiers Verifiers
	log       *slog.Logger
	ring      atomic.Pointer[Keyring]

	// What was read last, and what was wrong with it; only Run uses them.
	last  [sha256.Size]byte
	wrong string
}

// NewSource reads the secrets for the first time. Read returns all of them.
func NewSource(read func() ([]secret.Entry, error), verifiers Verifiers, log *slog.Logger) (*Source, error) {
	entries, err := read()
	if err != nil {
		return nil, err
	}
	ring, err := NewKeyring(entries, verifiers)
	if err != nil {
		return nil, err
	}
	s := &Source{read: read, verifiers: verifiers, log: log, last: fingerprint(entries)}
	s.ring.Store(ring)
	return s, nil
}

// Run reads the secrets at every tick until ctx ends, and returns nil.
func (s *Source) Run(ctx context.Context, ticks <-chan time.Time) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
			s.reload(ctx)
		}
	}
}

func (s *Source) reload(ctx context.Context) {
	entries, err := s.read()
	if err == nil {
		changed := fingerprint(entries)
		if changed == s.last && s.wrong == "" {
			return
		}
		var ring *Keyring
		if ring, err = NewKeyring(entries, s.verifiers); err == nil {
			s.ring.Store(ring)
			s.last, s.wrong = changed, ""
			s.log.InfoContext(ctx, "read changed secrets", "pairs", ring.Len())
			return
		}
	}
	// Errors of this package and of secret name places and never contents.
	if text := err.Error(); text != s.wrong {
		s.wrong = text
		s.log.ErrorContext(ctx, "the changed secrets are not used, those before stay in force; correct them", "error", err)
	}
}

// fingerprint changes with anything that the entries say.
func fingerprint(entries []secret.Entry) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, e := range entries {
		for _, text := range []string{e.Tenant, e.Provider, e.Secret.Reveal()} {
			h.Write(binary.AppendUvarint(nil, uint64(len(text))))
			h.Write([]byte(text))
		}
		if e.VerifyToken {
			h.Write([]byte{0xff})
		}
	}
	h.Sum(sum[:0])
	return sum
}

// Keyring is the one in force now.
func (s *Source) Keyring() *Keyring { return s.ring.Load() }

// Keys are those of the keyring in force.
func (s *Source) Keys(tenant, providerName string) []Key {
	return s.ring.Load().Keys(tenant, providerName)
}

// VerifyToken asks the keyring in force.
func (s *Source) VerifyToken(tenant, providerName, token string) bool {
	return s.ring.Load().VerifyToken(tenant, providerName, token)
}
