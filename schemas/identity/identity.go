// SPDX-License-Identifier: Apache-2.0

// Package identity says when two webhooks are one event.
package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Source says how a webhook's event id was found.
type Source string

const (
	// ProviderID is an id that the provider gave the event and keeps when it
	// delivers again.
	ProviderID Source = "provider-id"
	// NaturalKey is an id composed of parts that are the same in every
	// delivery, for providers whose own ids are weak or missing.
	NaturalKey Source = "natural-key"
	// None marks a webhook in which no identity was found. It was verified,
	// so it is stored, and transform dead-letters it.
	None Source = "none"
)

// Fingerprint is SHA-256 cut to 128 bits over an event's identity. Ids are the
// sender's to choose, so a hash that can be steered into collisions would let
// one event suppress another.
type Fingerprint [16]byte

// Of is the fingerprint of the event (tenant, provider, event id). Parts are
// length-prefixed, so that moving a character from one to the next changes it.
func Of(tenant, provider, eventID string) Fingerprint {
	sum := hash(tenant, provider, eventID)
	return Fingerprint(sum[:16])
}

// String is the fingerprint in hexadecimal.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

func hash(parts ...string) [sha256.Size]byte {
	buf := make([]byte, 0, 128)
	for _, p := range parts {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(p))) //nolint:gosec // parts are far below 4 GiB
		buf = append(buf, p...)
	}
	return sha256.Sum256(buf)
}
