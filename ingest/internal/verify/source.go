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
	ages      *ages
	ring      atomic.Pointer[Keyring]

	// Only Run uses these. Last is what is in force; wrong is what was wrong
	// with the last reading, and told whether it was logged.
	last  [sha256.Size]byte
	wrong string
	told  bool
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
	a, err := newAges()
	if err != nil {
		return nil, err
	}
	a.set(entries)
	s := &Source{read: read, verifiers: verifiers, log: log, ages: a, last: fingerprint(entries)}
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
	read := fingerprint(entries)
	if err == nil && read != s.last {
		var ring *Keyring
		if ring, err = NewKeyring(entries, s.verifiers); err == nil {
			s.ring.Store(ring)
			s.ages.set(entries)
			s.last = read
			s.log.InfoContext(ctx, "read changed secrets", "pairs", ring.Len())
		}
	}
	if err != nil {
		s.keep(ctx, err)
		return
	}
	s.wrong, s.told = "", false
}

// keep leaves the keyring in force. It complains once, at the second reading: the
// first may have seen the files while they were being replaced.
func (s *Source) keep(ctx context.Context, err error) {
	text := err.Error() // names places, never what is there
	switch {
	case text != s.wrong:
		s.wrong, s.told = text, false
	case !s.told:
		s.told = true
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
